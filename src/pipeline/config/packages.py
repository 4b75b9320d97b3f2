"""Compares the installed packages that train, score and serve a model with requirements.lock."""

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.config.errors import ConfigurationError

PACKAGES = ("mlflow", "scikit-learn", "numpy", "pandas", "scipy", "joblib", "pyarrow")
REQUIREMENTS = Path("requirements.lock")


def check_packages() -> None:
    """Check that the installed packages are those of requirements.lock in the current folder.

    They may differ after a pull of a new file, which dvc.lock then records wrongly. If the file is missing,
    DVC reports it, since dvc.yaml names it.

    Raises:
        ConfigurationError: packages differ; the message names them.
    """
    if not REQUIREMENTS.exists():
        return
    if wrong := differing(REQUIREMENTS.read_text(encoding="utf-8")):
        raise ConfigurationError(
            f"the installed packages differ from {REQUIREMENTS}: {', '.join(wrong)}: run 'make setup', "
            "or build the image again"
        )


def differing(requirements: str) -> list[str]:
    """Return the packages whose installed version differs from the lines `name==version` of requirements."""
    wrong = []
    for name in PACKAGES:
        # There may be one line for each version of Python.
        wanted = re.findall(rf"^{name}==([^\s;]+)", requirements, re.MULTILINE)
        if wanted and (here := _installed(name)) not in wanted:
            wrong.append(f"{name} {here} in place of {' or '.join(wanted)}")
    return wrong


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
