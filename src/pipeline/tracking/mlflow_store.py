"""The MLflow store of runs and models, and its errors in one line."""

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

# The default name of the experiment and of the registered model.
PROJECT = "churn-pipeline"
# The prefixes of URIs of databases, which MLflow uses without a server.
DATABASES = ("sqlite:", "postgresql", "mysql", "mssql")
# The schemes of folders, which MLflow 3.13 and later does not support ("" is a path).
FOLDERS = {"", "file"}
# MLflow's error codes for 401 and 403.
REFUSED = {"UNAUTHENTICATED", "PERMISSION_DENIED"}
# The error code of a store that answers but rejects the request.
REJECTED = "INVALID_PARAMETER_VALUE"

# Fail in seconds, not in minutes, if the server is away. Send no telemetry.
for _name, _value in {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "GIT_PYTHON_REFRESH": "quiet",
}.items():
    os.environ.setdefault(_name, _value)


def tracking_store() -> tuple[str, str | None]:
    """Return the tracking URI and the artifact location of a new experiment (None: the server decides).

    The URI is MLFLOW_TRACKING_URI, or a SQLite database. A relative path is relative to the root of the
    repository. Without a server, artifacts are beside the file of a SQLite database, and at the root of the
    repository for other databases. MLflow's default, the current folder, may be a throw-away worktree.

    Raises:
        ConfigurationError: the URI is a folder, the registry is another server, or loading models is
            forbidden.
    """
    root, uri = stores_root(), os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    if urlsplit(uri).scheme in FOLDERS and not uri.startswith("databricks"):
        raise ConfigurationError(
            "MLFLOW_TRACKING_URI names a folder, where MLflow keeps no runs: name a server "
            "(http://HOST:PORT) or a database (sqlite:///mlflow.db)"
        )
    if path := re.fullmatch(r"sqlite:///([^/:].*)", uri):
        # These two characters have a meaning in a URI.
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
    """Return the file of a SQLite database; None for a server or another database."""
    path = re.fullmatch(r"sqlite:///(/[^?]*)(\?.*)?", uri)
    return Path(unquote(path[1])) if path else None


def find_experiment(client: Any) -> tuple[str, str | None]:
    """Return the name of the experiment, and its id (None: it does not exist yet).

    The experiment is that of MLFLOW_EXPERIMENT_NAME or MLFLOW_EXPERIMENT_ID, else the project's.

    Raises:
        ConfigurationError: the two name different experiments, there is none with this id, or it was deleted.
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
    """Turn any error of MLflow into one line with the server's URI, without its credentials.

    `state` is the end of the message: what was kept, and what to do next.

    Raises:
        ConfigurationError: MLflow refuses the credentials, or the URI is not a store: waiting does not help.
        PipelineError: any other error.
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
