"""Runs uv with the indexes and certificates of pip: `python tools/uv.py pip install ...`.

uv does not read pip's configuration (its files and the PIP_* variables). With this, packages come from the
index that pip uses, and no file of this repository names one.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

UV = Path(sys.executable).with_name("uv")
TRUE = {"1", "true", "yes", "on"}
# An option of pip -> the variable that sets the same for uv.
VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}


def pip_options() -> dict[str, list[str]]:
    """Return the values of each option that `pip install` takes from its configuration."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    sections: dict[str, dict[str, list[str]]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        sections.setdefault(section, {})[option] = ast.literal_eval(value).split()
    return sections["global"] | sections["install"] | sections[":env:"]


def uv_variables(options: dict[str, list[str]]) -> dict[str, str]:
    """Return the environment variables that set the same for uv."""
    # pip ignores a missing folder of wheels; uv refuses it.
    links = [link for link in options.get("find-links", []) if "://" in link or Path(link).exists()]
    variables = {VARIABLES[name]: " ".join(values) for name, values in options.items() if name in VARIABLES}
    if "find-links" in options:
        variables["UV_FIND_LINKS"] = ",".join(links)
    # pip treats all indexes alike. The hashes of the lock select the file.
    return variables | {"UV_INDEX_STRATEGY": "unsafe-best-match"}


def main() -> None:
    """Replace this process with uv."""
    if not UV.exists():
        sys.exit(f"{UV} is not installed")
    options = pip_options()
    # uv has no variable for this option.
    no_index = ["--no-index"] if options.get("no-index", ["0"])[0].lower() in TRUE else []
    # This environment, also if UV_SYSTEM_PYTHON is set.
    variables = os.environ | uv_variables(options) | {"UV_PYTHON": sys.executable}
    os.execve(UV, ["uv", *sys.argv[1:], *no_index], variables)  # noqa: S606 - no shell


if __name__ == "__main__":
    main()
