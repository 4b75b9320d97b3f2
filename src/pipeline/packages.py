"""The packages that make, score and serve a model: those here, and those that requirements.lock names."""

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.errors import ConfigurationError

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
    text = REQUIREMENTS.read_text(encoding="utf-8")
    wrong = []
    for name in PACKAGES:
        # There may be one for each version of Python.
        locked = re.findall(rf"^{name}==([^\s;]+)", text, re.MULTILINE)
        if locked and (here := _installed(name)) not in locked:
            wrong.append(f"{name} {here} in place of {' or '.join(locked)}")
    if wrong:
        raise ConfigurationError(
            f"installed are other packages than {REQUIREMENTS} names: {', '.join(wrong)}: run 'make setup', "
            "or build the image again"
        )


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
