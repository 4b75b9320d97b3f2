"""Checks that each server that a retrain needs answers, and grants the required rights."""

from contextlib import nullcontext
from typing import Any

from operations.git_and_dvc.git import REMOTE, git, remote_tags
from operations.git_and_dvc.origin import check_origin, check_push
from operations.readiness.asking import CHECK_TIMEOUT, Check
from operations.readiness.dvc_remote import list_remotes, use_remotes
from operations.versions.registry import Registry
from operations.versions.sharing import unshared
from operations.versions.version import Version
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.config.parameters import load
from pipeline.source.mongo import connect, offers_snapshot
from pipeline.source.parameters import IngestionParameters
from pipeline.tracking.lineage import without_credentials
from pipeline.tracking.mlflow_store import database_file, find_experiment, plain_mlflow_errors, tracking_store

from pymongo.errors import ExecutionTimeout

# How long MongoDB may look for a document that the filter selects, in milliseconds.
FILTER_TIMEOUT_MS = 3_000


def reach_mongodb() -> str:
    """Ping MongoDB. The embedded server of the sample is not checked: a run starts it."""
    source = load("ingestion", IngestionParameters).source
    if source == "mongodb":
        with connect(source) as client:
            client.admin.command("ping")
    return "answers"


def reach_mlflow() -> str:
    """Ask MLflow for the champion."""
    if not _missing_store():
        Registry().champion()
    return "answers"


def reach_git() -> str:
    """Ask the Git remote for its branches."""
    check_origin(CHECK_TIMEOUT)
    return "answers"


def use_mongodb() -> str:
    """Read one document as ingestion does, if it is found in time, and describe the server.

    Raises:
        ConfigurationError: the server refuses the user or the filter, or no document matches.
    """
    parameters = load("ingestion", IngestionParameters)
    if parameters.source == "sample":
        return "the embedded sample server, which a run starts"
    name = f"{parameters.database}.{parameters.collection}"
    with connect(parameters.source) as client:
        version, snapshot = client.server_info()["version"], offers_snapshot(client)
        collection: Any = client[parameters.database][parameters.collection]
        snapshot_session = client.start_session(snapshot=True) if snapshot else nullcontext()
        try:
            with snapshot_session as session:
                document = collection.find_one(
                    parameters.filter, {"_id": 1}, session=session, max_time_ms=FILTER_TIMEOUT_MS
                )
        except ExecutionTimeout:
            document = "not found yet: without an index for the filter, ingestion takes its time"
    if document is None:
        raise ConfigurationError(
            f"{name} holds no document that the filter selects: correct ingestion in params.yaml"
        )
    return f"version {version}, reads {name}, {'with' if snapshot else 'without'} snapshots"


def use_mlflow() -> str:
    """Look up the experiment and the registered model, and describe them with the server.

    Raises:
        ConfigurationError: the experiment is missing or deleted, or the champion cannot be compared with.
    """
    if store := _missing_store():
        return f"{store}, which the first run makes"
    registry = Registry()
    with plain_mlflow_errors(registry.uri, "nothing was changed"):
        experiment, _ = find_experiment(registry.client)
    versions = registry.versions()
    champion = next((version for version in versions if version.champion), None)
    if champion and not _tagged(champion):
        raise ConfigurationError(
            f"the champion, version {champion.number} of {registry.name}, has no tag {champion.tag} of its "
            "commit in Git: make another champion ('pipeline rollback'); if it is another project's, give "
            "your model a name in params.yaml (mlflow.registered_model)"
        )
    return (
        f"{without_credentials(registry.uri)}, version {_mlflow_version(registry.uri)}, experiment "
        f"{experiment}, {registry.name} with {len(versions)} versions"
        f"{f', champion {champion.number}' if champion else ''}"
    )


def _missing_store() -> str | None:
    """Return the URI of a SQLite store that does not exist yet, since any request creates it; else None."""
    uri, _ = tracking_store()
    file = database_file(uri)
    return uri if file and not file.exists() else None


def _tagged(version: Version) -> bool:
    """Whether a version's tag is on its commit, here or on the Git remote."""
    here = git("rev-parse", "--verify", "--quiet", f"{version.tag}^{{commit}}", check=False)
    commit = version.tags.get("git.commit")
    return bool(commit) and (here == commit or remote_tags(version.tag).get(version.tag) == commit)


def _mlflow_version(uri: str) -> str:
    """Return the version of the MLflow server; without a server, of the installed MLflow."""
    import mlflow
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    if not uri.startswith(("http://", "https://")):
        return str(mlflow.__version__)
    answer = http_request(get_default_host_creds(uri), "/version", "GET")
    return str(answer.text)[:20] if answer.status_code == 200 else "unknown"


def use_git() -> str:
    """Check that the Git remote accepts an atomic push, unless versions are local and nothing is pushed."""
    check_origin(CHECK_TIMEOUT)
    try:
        local = unshared()
    except PipelineError:
        # The check of MLflow reports it.
        local = None
    if local:
        return f"versions stay in this clone: {local}"
    check_push(CHECK_TIMEOUT)
    return f"{without_credentials(git('remote', 'get-url', REMOTE))} takes an atomic push"


# By their names in /ready and in messages.
REACHED: dict[str, Check] = {
    "mongodb": reach_mongodb,
    "remote": list_remotes,
    "mlflow": reach_mlflow,
    "git": reach_git,
}
RIGHTS: dict[str, Check] = {
    "mongodb": use_mongodb,
    "remote": use_remotes,
    "mlflow": use_mlflow,
    "git": use_git,
}
