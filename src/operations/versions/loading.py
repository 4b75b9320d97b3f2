"""The model of a version as MLflow keeps it, and what is said where the packages here cannot read it."""

import tempfile
from pathlib import Path
from typing import Any

from operations.versions.registry import Registry
from operations.versions.version import Version
from pipeline.config.errors import PipelineError
from pipeline.config.packages import differing
from pipeline.tracking.mlflow_store import plain_mlflow_errors


class UnreadableModelError(PipelineError):
    """The packages here cannot read, or ask, the model of a version: others made it."""


def unreadable(version: Version, error: Exception) -> UnreadableModelError:
    """Say of what a model raised that scikit-learn promises nothing to its other releases."""
    return UnreadableModelError(
        f"the packages here cannot read the model of version {version.number} ({type(error).__name__}): "
        f"'git checkout {version.tag}' and 'make setup' bring those that made it"
    )


def load_model(registry: Registry, version: Version) -> Any:
    """Load the scikit-learn model of a version from MLflow.

    Raises:
        UnreadableModelError: the packages here are not those that made it, and cannot read it.
        PipelineError: MLflow is away, or has it no more, or damaged.
    """
    # MLflow decodes a path twice where it reads in place: one with %20 in it would not be found.
    with (
        tempfile.TemporaryDirectory() as folder,
        plain_mlflow_errors(registry.uri, "run the same command again"),
    ):
        import mlflow.sklearn
        from mlflow.artifacts import download_artifacts

        path = download_artifacts(f"models:/{registry.name}/{version.number}", dst_path=folder)
        # MLflow writes them beside each model.
        requirements = (Path(path) / "requirements.txt").read_text(encoding="utf-8")
        try:
            return mlflow.sklearn.load_model(path)
        except (MemoryError, OSError):
            raise
        except Exception as error:
            if differing(requirements):
                raise unreadable(version, error) from error
            raise PipelineError(
                f"MLflow holds a damaged model of version {version.number} ({type(error).__name__})"
            ) from error
