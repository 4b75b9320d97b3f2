"""The registered versions of the model in MLflow: their tags, scores and the champion."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, partial
from typing import Any

from operations.versions.parameters import model_name
from operations.versions.tags import tag_here, tags_anywhere
from operations.versions.version import (
    REGISTERED,
    Publication,
    Standing,
    Version,
)
from pipeline.config.errors import PipelineError
from pipeline.tracking.lineage import without_credentials
from pipeline.tracking.mlflow_store import plain_mlflow_errors, tracking_store

CHAMPION, BEST = "champion", "best"


class Registry:
    """The registered model that params.yaml names, on the MLflow server in use."""

    def __init__(self) -> None:
        # The name distinguishes the model from those of other projects on the same server.
        self.name = model_name()
        self.uri, _ = tracking_store()
        # The model is small: a progress bar is noise in the log.
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        with plain_mlflow_errors(self.uri, "nothing was changed"):
            import mlflow

            mlflow.set_tracking_uri(self.uri)
            self.client = mlflow.MlflowClient(self.uri)

    @cached_property
    def unshared(self) -> str | None:
        """What keeps the versions that are published here local to this clone; None if nothing does."""
        # Imported here, since it imports DVC, which listing versions does not need.
        from operations.versions.sharing import unshared

        return unshared()

    def counts(self, version: Version) -> bool:
        """Whether a version is one of those this clone publishes: the team's, or its local ones."""
        from operations.versions.sharing import in_this_clone

        if self.unshared is None:
            return not version.local
        return in_this_clone(self.uri) or (version.local and tag_here(version) is not None)

    def counting(self) -> list[Version]:
        """Return the versions that count for this clone (see `counts`), the oldest first."""
        return [version for version in self.versions() if self.counts(version)]

    def check_counts(self, version: Version) -> None:
        """Check that a version counts for this clone.

        Raises:
            PipelineError: it is local and this clone publishes for the team, or the other way round.
        """
        if self.counts(version):
            return
        if version.local:
            why = "is local to the clone that published it, and the team has neither its commit nor its data"
        else:
            why = f"is the team's, and versions in this clone are local: {self.unshared}"
        raise PipelineError(f"version {version.number} {why}; nothing was changed")

    def versions(self) -> list[Version]:
        """Return all versions, the oldest first, without the scores of their runs (see `scored`)."""
        standing = self._standing()
        query = f"name = '{self.name}'"
        versions: list[Version] = self._ask(
            lambda: [Version.of(item, standing) for item in self.client.search_model_versions(query)]
        )
        return sorted(versions, key=lambda version: version.number)

    def scored(self) -> list[Version]:
        """Return all versions, the oldest first, with the scores of their runs, in one request."""
        versions = self.versions()
        # A version registered by hand may have no run.
        names = ", ".join(f"'{version.run_id}'" for version in versions if version.run_id)
        runs = self._runs(f"attributes.run_id IN ({names})") if names else []
        known = {run.info.run_id: run for run in runs}
        return [version.with_run(known.get(version.run_id)) for version in versions]

    def version(self, number: int) -> Version:
        """Return one version, without the scores of its run.

        Raises:
            PipelineError: there is no such version.
        """
        standing = self._standing()
        version: Version | None = self._ask(
            lambda: Version.of(self.client.get_model_version(self.name, str(number)), standing)
        )
        if version is None:
            raise PipelineError(f"there is no version {number} of {self.name}: 'pipeline models' lists them")
        return version

    def champion(self) -> Version | None:
        """Return the champion, or None."""
        standing = self._standing()
        return self.version(standing.version) if standing else None

    def best(self) -> Version | None:
        """Return the best version so far, which has the alias `best`, or None."""
        model = self._model()
        return self.version(int(model.aliases[BEST])) if model and BEST in model.aliases else None

    def _model(self) -> Any:
        return self._ask(lambda: self.client.get_registered_model(self.name))

    def _ask(self, request: Callable[[], Any]) -> Any:
        """Return MLflow's answer to a request; None if the requested object does not exist."""
        with plain_mlflow_errors(self.uri, "nothing was changed"):
            try:
                return request()
            except Exception as error:
                if getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise

    def _standing(self) -> Standing | None:
        """Return which version has the alias `champion`, and why."""
        if (model := self._model()) is None or CHAMPION not in model.aliases:
            return None
        number = int(model.aliases[CHAMPION])
        with suppress(ValueError):
            standing = Standing.model_validate_json(model.tags.get(CHAMPION, ""))
            if standing.version == number:
                return standing
        # The alias was set in MLflow, not by `make_champion`.
        return Standing(version=number, reason="made champion by hand in MLflow", pinned=True)

    def rival(self) -> Version | None:
        """Return the champion that a new version is compared with: one that counts for this clone."""
        champion = self.champion()
        return champion if champion and self.counts(champion) else None

    def keeps_champion(self) -> Version | None:
        """Return the team's champion if this clone publishes local versions, which never replace it."""
        champion = self.champion()
        teams = champion and self.unshared and not champion.local and not self.counts(champion)
        return champion if teams else None

    def _runs(self, query: str, most: int = 100_000) -> list[Any]:
        """Return the runs that an MLflow query selects in all experiments, the newest first."""
        import mlflow

        search = partial(mlflow.search_runs, search_all_experiments=True, output_format="list")
        return list(self._ask(lambda: search(filter_string=query, max_results=most)))

    def run_of(self, tags: dict[str, str]) -> str | None:
        """Return the newest finished run that has all of `tags`, or None."""
        query = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        items = self._runs(f"{query} and attributes.status = 'FINISHED'", most=1)
        return str(items[0].info.run_id) if items else None

    def run(self, run_id: str) -> Any:
        """Return a run of MLflow, deleted or not; None if this server never had it."""
        return self._ask(lambda: self.client.get_run(run_id))

    def register(self, publication: Publication) -> int:
        """Register a version with its tags in one request, and return the number that MLflow gave it.

        Raises:
            PipelineError: MLflow is away.
        """
        advice = "the data and the commit are published: run the same command again"
        with plain_mlflow_errors(self.uri, advice):
            import mlflow

            model = f"runs:/{publication.run_id}/model"
            return int(mlflow.register_model(model, self.name, tags=publication.tags).version)

    def mark_registered(self, version: Version) -> None:
        """Record on a version's run that it was registered; the record outlives the version."""
        with plain_mlflow_errors(self.uri, "run the same command again"):
            self.client.set_tag(version.run_id, REGISTERED + version.tag, "")

    def delete(self, number: int) -> None:
        """Delete a version."""
        with plain_mlflow_errors(self.uri, "run the same command again"):
            self.client.delete_model_version(self.name, str(number))

    def record(self, number: int, name: str, content: Any) -> None:
        """Store `content` in a tag of a version, as JSON unless it is text."""
        text = content if isinstance(content, str) else json.dumps(content)
        with plain_mlflow_errors(self.uri, "run the same command again"):
            self.client.set_model_version_tag(self.name, str(number), name, text)

    def make_champion(
        self, number: int, reason: str = "promoted", pinned: bool = False, best: int | None = None
    ) -> None:
        """Set the alias `champion` to a version, and `best` to the best so far (None: the same version).

        The reason is stored with the registered model. The alias `champion` is set last, so an interruption
        leaves the champion as it was.
        """
        standing = Standing(version=number, reason=reason, pinned=pinned)
        with plain_mlflow_errors(self.uri, "run the same command again"):
            self.client.set_registered_model_tag(self.name, CHAMPION, standing.model_dump_json())
            self.client.set_registered_model_alias(self.name, BEST, str(best or number))
            self.client.set_registered_model_alias(self.name, CHAMPION, str(number))


def none_published() -> str:
    """Return the message for an empty registry. If Git has versions, this clone uses another MLflow."""
    if tags := tags_anywhere():
        store = without_credentials(tracking_store()[0])
        return f"MLflow at {store} knows none of the {len(tags)} versions in Git: set MLFLOW_TRACKING_URI"
    return "no version is published yet: 'pipeline publish', or 'pipeline retrain'"
