"""Where MLflow keeps runs and models, and its failures in one line."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline.config.errors import ConfigurationError, PipelineError, cause_of
from pipeline.config.stores import stores_root
from pipeline.tracking.lineage import without_credentials

# The experiment of all runs, and the name of the registered model.
PROJECT = "churn-pipeline"
# What MLflow reads and writes without a server, as its URIs begin.
DATABASES = ("sqlite:", "postgresql", "mysql", "mssql")
# Where MLflow keeps nothing any more (3.13 and later), as its URIs begin: "" is a path.
FOLDERS = {"", "file"}
# What would put an evaluation into another run, or add another's tags, metrics or models to it.
FOREIGN_RUN_VARIABLES = (
    "MLFLOW_RUN_ID",
    "MLFLOW_RUN_CONTEXT",
    "MLFLOW_ACTIVE_MODEL_ID",
    "_MLFLOW_ACTIVE_MODEL_ID",
    "SERVERLESS_GPU_COMPUTE_ASSOCIATED_JOB_RUN_ID",
)
# What MLflow makes of 401 and 403.
REFUSED = {"UNAUTHENTICATED", "PERMISSION_DENIED"}
# It is there, and does not take what it was sent.
REJECTED = "INVALID_PARAMETER_VALUE"

# Fail in seconds, not in minutes, when the server is away; send nothing to anybody else.
for _name, _value in {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "GIT_PYTHON_REFRESH": "quiet",
}.items():
    os.environ.setdefault(_name, _value)


def tracking_store() -> tuple[str, str | None]:
    """Return the tracking URI and where the artifacts of a new experiment go (None: the server decides).

    It is MLFLOW_TRACKING_URI, or a sqlite database. One with a relative path lies at the root of the
    repository. Without a server, artifacts lie beside the file of a sqlite database, and at the root of the
    repository for any other: MLflow would take the current folder, which may be a throw-away worktree.

    Raises:
        ConfigurationError: MLflow keeps nothing there, or the environment would keep a version apart.
    """
    root, uri = stores_root(), os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    if urlsplit(uri).scheme in FOLDERS and not uri.startswith("databricks"):
        raise ConfigurationError(
            "MLFLOW_TRACKING_URI names a folder, where MLflow keeps no runs: name a server "
            "(http://HOST:PORT) or a database (sqlite:///mlflow.db)"
        )
    if path := re.fullmatch(r"sqlite:///([^/:].*)", uri):
        # In a URI these two mean something else.
        escaped = str(root).replace("%", "%25").replace("?", "%3F")
        uri = f"sqlite:///{escaped}/{path[1]}"
    if os.environ.get("MLFLOW_REGISTRY_URI", "") not in {"", uri}:
        raise ConfigurationError(
            "MLFLOW_REGISTRY_URI is set: versions are registered where their runs are, at "
            "MLFLOW_TRACKING_URI: unset it"
        )
    if os.environ.get("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true").lower() not in {"", "true", "1"}:
        raise ConfigurationError(
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION forbids to load the registered models, which are pickles: "
            "unset it"
        )
    if not uri.startswith(DATABASES):
        return uri, None
    file = database_file(uri)
    return uri, ((file.parent if file else root) / "mlartifacts").as_uri()


def database_file(uri: str) -> Path | None:
    """Return the file of a sqlite database; None for a server, and for any other database."""
    path = re.fullmatch(r"sqlite:///(/[^?]*)(\?.*)?", uri)
    return Path(unquote(path[1])) if path else None


def unset_unused() -> list[str]:
    """Unset what would put an evaluation into another run than its own, and return the names."""
    return [name for name in FOREIGN_RUN_VARIABLES if os.environ.pop(name, "")]


def find_experiment(client: Any) -> tuple[str, str | None]:
    """Return the name of the experiment, and its id (None: it is yet to be made).

    It is that of MLFLOW_EXPERIMENT_NAME or MLFLOW_EXPERIMENT_ID, else the project's.

    Raises:
        ConfigurationError: the two name different ones, there is none of that id, or it was deleted.
    """
    name, number = (os.environ.get(f"MLFLOW_EXPERIMENT_{key}") for key in ("NAME", "ID"))
    try:
        experiment = (
            client.get_experiment(number) if number else client.get_experiment_by_name(name or PROJECT)
        )
    except Exception as error:
        if getattr(error, "error_code", None) != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise ConfigurationError(f"MLFLOW_EXPERIMENT_ID: MLflow has no experiment {number}") from None
    if number and name and experiment.name != name:
        raise ConfigurationError(
            f"MLFLOW_EXPERIMENT_ID is that of the experiment {experiment.name}, and "
            f"MLFLOW_EXPERIMENT_NAME is {name}: unset one"
        )
    if experiment and experiment.lifecycle_stage == "deleted":
        restore = f"mlflow experiments restore --experiment-id {experiment.experiment_id}"
        raise ConfigurationError(
            f"the experiment {experiment.name} was deleted in MLflow: '{restore}' brings it back"
        )
    return (experiment.name, str(experiment.experiment_id)) if experiment else (name or PROJECT, None)


@contextmanager
def plain_mlflow_errors(uri: str, state: str) -> Iterator[None]:
    """Turn whatever MLflow raises into one line that names the server, without its credentials.

    `state` says what was kept, and what to do next.

    Raises:
        ConfigurationError: it refuses the credentials, or is no store: waiting would not help.
        PipelineError: in place of any other error.
    """
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        where = f"MLflow at {without_credentials(uri)}"
        if getattr(error, "error_code", None) in REFUSED:
            hint = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            raise ConfigurationError(f"{where} refuses you ({cause_of(error)}): {hint}; {state}") from error
        if type(error).__name__.startswith("Unsupported"):
            raise ConfigurationError(f"{where} is no store: correct MLFLOW_TRACKING_URI; {state}") from error
        if getattr(error, "error_code", None) == REJECTED:
            raise PipelineError(
                f"{where} does not take what it was sent ({cause_of(error)}), or is no store that "
                f"MLFLOW_TRACKING_URI may name; {state}"
            ) from error
        raise PipelineError(
            f"{where} cannot be used ({cause_of(error)}): start it, or correct MLFLOW_TRACKING_URI; {state}"
        ) from error
