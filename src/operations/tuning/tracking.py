"""Logs a search to MLflow: a parent run, and a child run for each trial."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from operations.tuning.folds import Scores, Setting
from operations.tuning.study import Trial
from pipeline.tracking.lineage import lineage_tags
from pipeline.tracking.mlflow_store import find_experiment, plain_mlflow_errors, tracking_store
from pipeline.tracking.names import mlflow_name

STUDY, TRIAL, PARENT, NAME = "tune.study", "tune.trial", "mlflow.parentRunId", "mlflow.runName"
# Of the lineage, what a search depends on. It makes no model, so it has no hash of one.
LINEAGE = ("git.commit", "git.dirty", "data.train.md5")


class Log:
    """The runs of a study. A search that continues finds its runs and adds those that are missing."""

    def __init__(self, client: Any, experiment: str, setting: Setting) -> None:
        self._client = client
        self._experiment = experiment
        self._algorithm = setting.parameters.algorithm
        found = self._search(f"tags.`{STUDY}` = '{setting.identity}'")
        if not found:
            tags = {tag: value for tag, value in lineage_tags().items() if tag in LINEAGE}
            tags |= {STUDY: setting.identity, NAME: f"tune {self._algorithm}"}
            found = [client.create_run(experiment, tags=tags)]
        self._parent = found[0].info.run_id
        runs = self._search(f"tags.`{PARENT}` = '{self._parent}'")
        self._logged = {int(run.data.tags[TRIAL]): run.info for run in runs}

    def add(self, trial: Trial, scores: Scores) -> None:
        """Log a trial, unless it is logged: the parameters, and the mean scores over the folds."""
        info = self._logged.get(trial.number)
        if info is not None and info.status in ("FINISHED", "FAILED"):
            return
        if info is None:
            tags = {PARENT: self._parent, TRIAL: str(trial.number), NAME: f"trial {trial.number}"}
            info = self._client.create_run(self._experiment, tags=tags).info
        from mlflow.entities import Param

        prefix = f"training.{self._algorithm}"
        parameters = [
            Param(mlflow_name(f"{prefix}.{name}"), str(value)) for name, value in trial.block.items()
        ]
        self._log(info.run_id, {f"cv_{name}": value for name, value in scores.items()}, parameters)
        self._end(info.run_id, "FAILED" if trial.score is None else "FINISHED")

    def end(self, metrics: dict[str, float], verdict: str) -> None:
        """Log the result of the search to the parent run, and end it."""
        self._log(self._parent, metrics, [])
        self._client.set_tag(self._parent, "tune.verdict", verdict)
        self._end(self._parent, "FINISHED")

    def _search(self, query: str) -> list[Any]:
        found: list[Any] = []
        token = None
        while token != "":
            page = self._client.search_runs([self._experiment], query, max_results=1000, page_token=token)
            found += page
            token = page.token or ""
        return found

    def _log(self, run: str, metrics: dict[str, float], parameters: list[Any]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        values = [Metric(name, value, now, 0) for name, value in metrics.items()]
        self._client.log_batch(run, metrics=values, params=parameters, synchronous=True)

    def _end(self, run: str, status: str) -> None:
        self._client.set_terminated(run, status)


@contextmanager
def logged(setting: Setting) -> Iterator[Log]:
    """Yield the log of a study on the MLflow server in use.

    Raises:
        PipelineError: MLflow cannot be reached or refuses.
    """
    uri, artifacts = tracking_store()
    with plain_mlflow_errors(uri, "the trials are kept: the same command continues"):
        import mlflow

        logging.getLogger("alembic").setLevel(logging.ERROR)
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient(uri)
        name, number = find_experiment(client)
        yield Log(client, number or client.create_experiment(name, artifact_location=artifacts), setting)
