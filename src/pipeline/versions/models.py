"""The model of a version as MLflow keeps it, and what is said where the packages here cannot read it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.errors import PipelineError
from pipeline.tracking.mlflow_store import said_plainly
from pipeline.versions.registry import Registry
from pipeline.versions.version import Version


class UnreadableModelError(PipelineError):
    """The packages here cannot read, or ask, the model of a version: others made it."""


@contextmanager
def read_by_these_packages(version: Version) -> Iterator[None]:
    """Read or ask the model of a version, of which scikit-learn promises nothing to its other releases.

    Raises:
        UnreadableModelError: in place of whatever a model raises.
    """
    try:
        yield
    except (MemoryError, OSError):
        raise
    except Exception as error:
        raise UnreadableModelError(
            f"the packages here cannot read the model of version {version.number} ({type(error).__name__}): "
            f"'git checkout {version.tag}' and 'make setup' bring those that made it"
        ) from error


def load_model(registry: Registry, version: Version) -> Any:
    """Load the scikit-learn model of a version from MLflow.

    Raises:
        UnreadableModelError: the packages here cannot read it.
        PipelineError: MLflow is away, or has it no more.
    """
    # MLflow decodes a path twice where it reads in place: one with %20 in it would not be found.
    with tempfile.TemporaryDirectory() as folder:
        with said_plainly(registry.uri, "run the same command again"):
            import mlflow.sklearn
            from mlflow.artifacts import download_artifacts

            path = download_artifacts(f"models:/{registry.name}/{version.number}", dst_path=folder)
        with read_by_these_packages(version):
            return mlflow.sklearn.load_model(path)
