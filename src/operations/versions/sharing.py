"""Whether this clone publishes for the team. While one of its stores is in the clone, versions are local."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from operations.git_and_dvc.dvc_remotes import remotes_in_use
from operations.git_and_dvc.git import REMOTE, has_remote
from pipeline.config.stores import stores_root
from pipeline.tracking.mlflow_store import database_file, find_experiment, plain_mlflow_errors, tracking_store


def unshared() -> str | None:
    """Return what keeps versions local to this clone, and the setting that shares them; None if shared.

    The team can restore a version only if its Git remote, the DVC remotes of its data, and its MLflow store
    with the artifacts are outside this clone.

    Raises:
        PipelineError: DVC's settings cannot be read, or MLflow does not answer.
    """
    if not has_remote():
        return f"this clone has no Git remote: 'git remote add {REMOTE} URL' names one"
    root = stores_root()
    return "; ".join([*_mlflow(root), *_dvc(root)]) or None


def in_this_clone(uri: str) -> bool:
    """Whether an MLflow store is a database file in this clone."""
    file = database_file(uri)
    return file is not None and file.resolve().is_relative_to(stores_root())


def _mlflow(root: Path) -> Iterator[str]:
    uri, artifacts = tracking_store()
    if in_this_clone(uri):
        yield "the MLflow store lies in this clone (share it: set MLFLOW_TRACKING_URI)"
        return
    with plain_mlflow_errors(uri, "nothing was changed"):
        import mlflow

        client = mlflow.MlflowClient(uri)
        name, number = find_experiment(client)
        # MLflow stores the location of an experiment's artifacts when it creates the experiment.
        experiment = client.get_experiment(number) if number else None
    place = urlsplit(experiment.artifact_location if experiment else artifacts or "")
    if place.scheme in {"", "file"} and place.path and Path(unquote(place.path)).is_relative_to(root):
        yield (
            f"the artifacts of the MLflow experiment {name} lie in this clone (share them: set "
            "MLFLOW_TRACKING_URI to a server, or MLFLOW_EXPERIMENT_NAME to a new experiment of one)"
        )


def _dvc(root: Path) -> Iterator[str]:
    for name, url in remotes_in_use().items():
        if "://" not in url and Path(url).resolve().is_relative_to(root):
            yield (
                f"the DVC remote {name} lies in this clone (share it: 'dvc remote modify {name} url URL', "
                "or 'dvc remote default NAME' of another)"
            )
