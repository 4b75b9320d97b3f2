"""What a retrain does inside its throw-away worktree: run what the request asks for, and publish it."""

import json
from typing import Any, Literal

from operations.git_and_dvc.dvc_process import repro
from operations.git_and_dvc.dvc_repository import dvc_repository, pull, stale
from operations.git_and_dvc.git import changed
from operations.reachability import patiently
from operations.retraining.old_data import lock_data_of, override
from operations.retraining.recovery import finish
from operations.retraining.request import Outcome, Request
from operations.versions.publishing import Published, publish
from operations.versions.registration import numbers
from operations.versions.registry import SCORES, Registry
from operations.versions.restoring import commit_of
from pipeline.config.errors import PipelineError
from pipeline.data.artifacts import METRICS, VALIDATION_REPORT
from pipeline.tracking.lineage import LOCK, locked_tags

SOURCE = "ingestion"
# How long a server that went away during the run is waited for, in seconds.
PATIENCE = 60.0


def retrain(request: Request) -> Outcome:
    """Run the stages that the request touches, in the current folder, and publish what came of it.

    Raises:
        PipelineError: data cannot be fetched; ingestion would run and is not allowed to; a stage fails; or
            see `operations.versions.publishing.publish`.
    """
    if request.finish is not None:
        return outcome_of(finish(request.finish, request.branch))
    if request.data_from is not None:
        return on_data_of(request.data_from, request)
    if request.keep_data:
        on_kept_data(request)
    else:
        on_new_data(request)
        # The first version may be what the lock names; later, one that was deleted stays deleted.
        registry = Registry()
        if LOCK.name not in changed() and not known(registry) and numbers(registry):
            return outcome(
                "unchanged",
                "nothing changed; no version holds this model: 'dvc pull', then 'pipeline publish'",
            )
    return outcome_of(patiently(lambda: publish(request.branch), PATIENCE, request.reads_source))


def on_kept_data(request: Request) -> None:
    """Situation A: fetch the data that the lock names, and run the stages that the change touches.

    Raises:
        PipelineError: ingestion would run, and the request does not allow it.
    """
    patiently(pull, PATIENCE, request.reads_source)
    if SOURCE in stale() and not request.read_source:
        raise PipelineError(
            "ingestion would read the source again, since its code, its parameters or the schema changed: "
            "allow it with --read-source, or undo that change"
        )
    if request.everything:
        patiently(lambda: repro("--force", "--downstream", "validation"), PATIENCE, request.reads_source)
    patiently(repro, PATIENCE, request.reads_source)


def on_new_data(request: Request) -> None:
    """Situation B: read the source whether or not anything seems changed, and run what really did."""
    # What is in the cache need not be made again; a first run has nothing there.
    with dvc_repository("checkout") as repo:
        repo.checkout(allow_missing=True)
    words = ("--force",) if request.everything else ("--force", "--single-item", SOURCE)
    patiently(lambda: repro(*words), PATIENCE, request.reads_source)
    patiently(repro, PATIENCE, request.reads_source)


def on_data_of(number: int, request: Request) -> Outcome:
    """Train with today's code and changed parameters on the exact data of an older version.

    The new version's commit is held by its tag alone: the branch keeps its data and its parameters.
    """
    registry = Registry()
    source = registry.version(number)
    registry.check_counts(source)
    commit = commit_of(source)
    override(request.overrides)
    stages = lock_data_of(commit)
    patiently(lambda: pull(*stages), PATIENCE, False)
    # The raw data stays, whatever ingestion's code and parameters have become since.
    with dvc_repository("commit") as repo:
        repo.commit(SOURCE, force=True)
    patiently(repro, PATIENCE, False)
    return outcome_of(patiently(lambda: publish(None, source), PATIENCE, False))


def known(registry: Registry) -> bool:
    """Whether a version holds the model that the lock here names."""
    model = locked_tags().get("model.md5")
    return any(version.tags.get("model.md5") == model for version in registry.counting())


def outcome_of(published: Published) -> Outcome:
    """Say what was published."""
    state = "is published" if published.new else "holds this model already"
    if published.new:
        verdict = "champion" if published.champion else "not promoted"
        verdict += f": {published.decision.reason}"
    else:
        rise = f"'pipeline rollback {published.version}' makes it that"
        verdict = "it is champion" if published.champion else f"it is not champion: {rise}"
    said = f"version {published.version} {state}; {verdict}"
    if published.comparison:
        said += f"; beside the version that its data is from: {published.comparison.reason}"
    found = outcome("succeeded" if published.new else "unchanged", said)
    return found.model_copy(
        update={
            "version": published.version,
            "promoted": published.champion,
            "commit": published.commit,
        }
    )


def outcome(state: Literal["succeeded", "unchanged"], message: str) -> Outcome:
    """Describe the end of a run, with the scores and the counts of rows that lie here."""
    scores: dict[str, Any] = json.loads(METRICS.read_text(encoding="utf-8"))
    rows: dict[str, Any] = json.loads(VALIDATION_REPORT.read_text(encoding="utf-8"))
    return Outcome(
        state=state,
        message=message,
        metrics={name: scores[name] for name in SCORES if name in scores},
        rows_read=rows["read"],
        rows_rejected=rows["read"] - rows["accepted"],
    )
