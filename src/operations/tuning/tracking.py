"""Logs a search to MLflow: a parent run, and a child run for each trial."""

import logging
import time
from contextlib import AbstractContextManager
from typing import Any

from operations.tuning.folds import Scores, Setting
from operations.tuning.study import Trial
from pipeline.tracking.lineage import lineage_tags
from pipeline.tracking.mlflow_store import find_experiment, plain_mlflow_errors, tracking_store
from pipeline.tracking.names import mlflow_name

STUDY, TRIAL, PARENT, NAME = "tune.study", "tune.trial", "mlflow.parentRunId", "mlflow.runName"
# The tags of the lineage that a search depends on. It creates no model, so there is no hash of a model.
LINEAGE = ("git.commit", "git.dirty", "data.train.md5")


class Log:
    """The runs of a study. A continued search finds its runs and adds the missing ones.

    Each method raises a `PipelineError` if MLflow is away or refuses the request.
    """

    def __init__(self, setting: Setting) -> None:
        self._algorithm = setting.parameters.algorithm
        self._uri, artifacts = tracking_store()
        with self._plain_errors():
            import mlflow

            logging.getLogger("alembic").setLevel(logging.ERROR)
            mlflow.set_tracking_uri(self._uri)
            self._client = mlflow.MlflowClient()
            name, number = find_experiment(self._client)
            self._experiment = number or self._client.create_experiment(name, artifact_location=artifacts)
            found = self._search(STUDY, setting.identity)
            if not found:
                tags = {tag: value for tag, value in lineage_tags().items() if tag in LINEAGE}
                tags |= {STUDY: setting.identity, NAME: f"tune {self._algorithm}"}
                found = [self._client.create_run(self._experiment, tags=tags)]
            self._parent = found[0].info.run_id
            runs = self._search(PARENT, self._parent)
            self._logged = {int(run.data.tags[TRIAL]): run.info for run in runs}

    def add(self, trial: Trial, scores: Scores) -> None:
        """Log the parameters and the mean scores of a trial, unless it is logged already."""
        info = self._logged.get(trial.number)
        if info is not None and info.status in ("FINISHED", "FAILED"):
            return
        key = f"training.{self._algorithm}"
        parameters = {mlflow_name(f"{key}.{name}"): str(value) for name, value in trial.block.items()}
        with self._plain_errors():
            if info is None:
                tags = {PARENT: self._parent, TRIAL: str(trial.number), NAME: f"trial {trial.number}"}
                info = self._client.create_run(self._experiment, tags=tags).info
            self._log(info.run_id, {f"cv_{name}": value for name, value in scores.items()}, parameters)
            self._client.set_terminated(info.run_id, "FAILED" if trial.score is None else "FINISHED")

    def end(self, metrics: dict[str, float], verdict: str) -> None:
        """Log the result of the search to the parent run, and end it."""
        with self._plain_errors():
            self._log(self._parent, metrics, {})
            self._client.set_tag(self._parent, "tune.verdict", verdict)
            self._client.set_terminated(self._parent, "FINISHED")

    def _plain_errors(self) -> AbstractContextManager[None]:
        return plain_mlflow_errors(self._uri, "the trials are kept: the same command continues")

    def _search(self, tag: str, value: str) -> list[Any]:
        query = f"tags.`{tag}` = '{value}'"
        return list(self._client.search_runs([self._experiment], query, max_results=50_000))

    def _log(self, run: str, metrics: dict[str, float], parameters: dict[str, str]) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        self._client.log_batch(
            run,
            metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
            params=[Param(name, value) for name, value in parameters.items()],
            synchronous=True,
        )
