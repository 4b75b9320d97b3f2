"""Compares the installed packages that train, score and serve a model with the locks."""

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.config.errors import ConfigurationError

PACKAGES = ("mlflow", "scikit-learn", "numpy", "pandas", "scipy", "joblib", "pyarrow")
# Packages that may be missing: only the algorithm of the same name needs one.
EXTRAS = ("lightgbm",)
REQUIREMENTS, EXTRA_REQUIREMENTS = Path("requirements.lock"), Path("requirements-boosters.lock")


def packages_of(algorithm: str) -> tuple[str, ...]:
    """Return the packages that train, load and serve the models of an algorithm."""
    return (*PACKAGES, algorithm) if algorithm in EXTRAS else PACKAGES


def check_packages() -> None:
    """Check that the installed packages are those of the locks in the current folder.

    They may differ after a pull of a new lock: dvc.lock would then name packages that did not make the
    outputs. DVC reports a missing lock, since dvc.yaml names it. The package of an extra may be missing.

    Raises:
        ConfigurationError: packages differ; the message names them.
    """
    for path, command in ((REQUIREMENTS, "make setup"), (EXTRA_REQUIREMENTS, "make setup EXTRAS=boosters")):
        wrong = differing(path.read_text(encoding="utf-8")) if path.exists() else []
        if wrong and not (path == EXTRA_REQUIREMENTS and _installed(EXTRAS[0]) == "none"):
            raise ConfigurationError(
                f"the installed packages differ from {path}: {', '.join(wrong)}: run '{command}', "
                "or build the image again"
            )


def differing(requirements: str) -> list[str]:
    """Return the packages whose installed version differs from the lines `name==version` of requirements."""
    wrong = []
    for name in (*PACKAGES, *EXTRAS):
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
