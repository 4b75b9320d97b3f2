"""Loads the model of a version from MLflow, and explains when the installed packages cannot read it."""

import tempfile
from pathlib import Path
from typing import Any

from operations.versions.registry import Registry
from operations.versions.version import Version
from pipeline.config.errors import PipelineError
from pipeline.config.packages import differing
from pipeline.tracking.mlflow_store import plain_mlflow_errors


class UnreadableModelError(PipelineError):
    """The installed packages cannot read the model of a version, since other versions of them made it."""


def unreadable(version: Version, error: Exception) -> UnreadableModelError:
    """Return the error for a model that other package versions made: scikit-learn does not support that."""
    return UnreadableModelError(
        f"the packages here cannot read the model of version {version.number} ({type(error).__name__}): "
        f"'git checkout {version.tag}' and 'make setup' (with EXTRAS=boosters for LightGBM) bring those that "
        "made it"
    )


def download(registry: Registry, version: Version, folder: str) -> Path:
    """Copy the model of a version from MLflow into a folder, and return its path.

    Raises:
        PipelineError: MLflow is away, or the model is missing there.
    """
    # Reading in place, MLflow decodes the path twice and does not find one with %20 in it.
    with plain_mlflow_errors(registry.uri, "run the same command again"):
        from mlflow.artifacts import download_artifacts

        return Path(download_artifacts(f"models:/{registry.name}/{version.number}", dst_path=folder))


def load_model(registry: Registry, version: Version) -> Any:
    """Load the scikit-learn model of a version from MLflow.

    Raises:
        UnreadableModelError: other versions of the packages made it, and those here cannot read it.
        PipelineError: MLflow is away, or the model there is missing or damaged.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        plain_mlflow_errors(registry.uri, "run the same command again"),
    ):
        import mlflow.sklearn

        path = download(registry, version, folder)
        # MLflow writes this file beside each model.
        requirements = (path / "requirements.txt").read_text(encoding="utf-8")
        try:
            return mlflow.sklearn.load_model(str(path))
        except (MemoryError, OSError):
            raise
        except Exception as error:
            if differing(requirements):
                raise unreadable(version, error) from error
            raise PipelineError(
                f"MLflow holds a damaged model of version {version.number} ({type(error).__name__})"
            ) from error
