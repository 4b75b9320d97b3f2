"""The registered versions of the model in MLflow: their tags, scores and the champion."""

import json
import os
from typing import Any

from pipeline.errors import PipelineError
from pipeline.git import remote_tags
from pipeline.tracking.lineage import without_credentials
from pipeline.tracking.mlflow_store import PROJECT, said_plainly, tracking_store
from pipeline.versions.version import COMPARISON, DATA_FROM, ROLLBACK, Publication, Version, number_of

CHAMPION = "champion"
SCORES = ("roc_auc", "average_precision", "log_loss", "brier_score")


class Registry:
    """The registered model named for the project, on the MLflow server in use."""

    def __init__(self) -> None:
        self._uri, _ = tracking_store()
        # The model is small, and a bar for it is noise in a log.
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        with said_plainly(self._uri, "nothing was changed"):
            import mlflow

            mlflow.set_tracking_uri(self._uri)
            self.client = mlflow.MlflowClient(self._uri)

    def versions(self) -> list[Version]:
        """Return all versions, the oldest first."""
        with said_plainly(self._uri, "nothing was changed"):
            if not self.client.search_registered_models(f"name = '{PROJECT}'"):
                return []
            champion = self.client.get_registered_model(PROJECT).aliases.get(CHAMPION)
            found = self.client.search_model_versions(f"name = '{PROJECT}'")
            return sorted(
                (self._version(item, champion) for item in found), key=lambda version: version.number
            )

    def _version(self, item: Any, champion: Any) -> Version:
        run = self._run(item.run_id)
        metrics = run.data.metrics if run else {}
        return Version(
            number=int(item.version),
            run_id=item.run_id,
            tags=dict(item.tags),
            scores={name: metrics[name] for name in SCORES if name in metrics},
            champion=str(champion) == str(item.version),
            created=int(item.creation_timestamp),
            experiment=str(run.info.experiment_id) if run else "",
        )

    def _run(self, run_id: str | None) -> Any:
        """Return a run; None where there is none (any more): `mlflow gc` deletes runs of versions too."""
        from mlflow.exceptions import MlflowException

        if not run_id:
            return None
        try:
            return self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def version(self, number: int) -> Version:
        """Return one version.

        Raises:
            PipelineError: there is no such version.
        """
        for version in self.versions():
            if version.number == number:
                return version
        raise PipelineError(f"there is no version {number} of {PROJECT}: 'pipeline models' lists them")

    def champion(self) -> Version | None:
        """Return the version in use, if there is one."""
        return next((version for version in self.versions() if version.champion), None)

    def lineage(self, number: int) -> dict[str, Any]:
        """Return all that made a version, and the commands that bring it back.

        Raises:
            PipelineError: there is no such version.
        """
        version = self.version(number)
        with said_plainly(self._uri, "nothing was changed"):
            run = self._run(version.run_id)
        if run is None:
            raise PipelineError(f"the run of version {number} is gone from MLflow: only its tags are left")
        return version.summary() | {
            "tags": version.tags,
            "dirty": run.data.tags.get("git.dirty") == "true",
            "decision": version.decision,
            "data_from": number_of(version.tags[DATA_FROM]) if DATA_FROM in version.tags else None,
            "comparison": version.kept(COMPARISON),
            "rollback": version.kept(ROLLBACK),
            "parameters": dict(run.data.params),
            "bring_back": f"git checkout {version.tag} && dvc pull",
        }

    def run_of(self, tags: dict[str, str]) -> str | None:
        """Return the newest finished run that carries all of `tags`, if there is one."""
        with said_plainly(self._uri, "nothing was changed"):
            experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
            query = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
            found = self.client.search_runs(
                experiments, f"{query} and attributes.status = 'FINISHED'", max_results=1
            )
            return str(found[0].info.run_id) if found else None

    def has_run(self, run_id: str) -> bool:
        """Whether this server has a run."""
        with said_plainly(self._uri, "nothing was changed"):
            experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
            query = f"attributes.run_id = '{run_id}'"
            return bool(self.client.search_runs(experiments, query, max_results=1))

    def register(self, publication: Publication) -> int:
        """Register a version, with all of its tags at once, and return the number that MLflow gave it.

        Raises:
            PipelineError: MLflow is away.
        """
        with said_plainly(self._uri, "the data and the commit are published: run the same command again"):
            import mlflow

            made = mlflow.register_model(f"runs:/{publication.run_id}/model", PROJECT, tags=publication.tags)
            return int(made.version)

    def delete(self, number: int) -> None:
        """Delete a version that should not be."""
        with said_plainly(self._uri, "run the same command again"):
            self.client.delete_model_version(PROJECT, str(number))

    def load_model(self, version: Version) -> Any:
        """Load the scikit-learn model of a version from MLflow."""
        with said_plainly(self._uri, "run the same command again"):
            import mlflow.sklearn

            return mlflow.sklearn.load_model(f"models:/{PROJECT}/{version.number}")

    def record(self, number: int, name: str, content: Any) -> None:
        """Keep `content` in a tag of a version, as JSON unless it is text."""
        text = content if isinstance(content, str) else json.dumps(content)
        with said_plainly(self._uri, "run the same command again"):
            self.client.set_model_version_tag(PROJECT, str(number), name, text)

    def make_champion(self, number: int) -> None:
        """Let the alias `champion` name a version."""
        with said_plainly(self._uri, "run the same command again"):
            self.client.set_registered_model_alias(PROJECT, CHAMPION, str(number))


def none_published() -> str:
    """Say that MLflow knows no version, and what to do: this clone may look at another MLflow."""
    if tags := remote_tags("model-v*"):
        store = without_credentials(tracking_store()[0])
        return f"MLflow at {store} knows none of the {len(tags)} versions in Git: set MLFLOW_TRACKING_URI"
    return "no version is published yet: 'pipeline publish', or 'pipeline retrain'"
