"""The packages that make, score and serve a model: those here, and those that requirements.lock names."""

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.config.errors import ConfigurationError

PACKAGES = ("mlflow", "scikit-learn", "numpy", "pandas", "scipy", "joblib", "pyarrow")
REQUIREMENTS = Path("requirements.lock")


def check_packages() -> None:
    """Look whether the packages here are those of requirements.lock in the current folder.

    dvc.lock says that a model was made with that file. Someone may have pulled a new one and installed
    nothing. That the file is there at all is DVC's to see to: dvc.yaml names it.

    Raises:
        ConfigurationError: names the packages that differ.
    """
    if not REQUIREMENTS.exists():
        return
    if wrong := differing(REQUIREMENTS.read_text(encoding="utf-8")):
        raise ConfigurationError(
            f"installed are other packages than {REQUIREMENTS} names: {', '.join(wrong)}: run 'make setup', "
            "or build the image again"
        )


def differing(requirements: str) -> list[str]:
    """Return which packages are not here as the lines `name==version` of requirements say."""
    wrong = []
    for name in PACKAGES:
        # There may be one for each version of Python.
        wanted = re.findall(rf"^{name}==([^\s;]+)", requirements, re.MULTILINE)
        if wanted and (here := _installed(name)) not in wanted:
            wrong.append(f"{name} {here} in place of {' or '.join(wanted)}")
    return wrong


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
