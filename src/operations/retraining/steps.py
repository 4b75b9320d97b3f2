"""The steps of a retrain inside its throw-away worktree: run the requested stages, publish the result."""

from contextlib import suppress
from threading import Thread

from operations.git_and_dvc.dvc_process import repro
from operations.git_and_dvc.dvc_repository import dvc_repository, pull, recipe_changed, stale
from operations.git_and_dvc.git import changed
from operations.git_and_dvc.remote_settings import check_remotes
from operations.readiness.waiting import retrying
from operations.retraining.old_data import lock_data_of, override
from operations.retraining.outcomes import outcome, outcome_of
from operations.retraining.recovery import finish
from operations.retraining.request import Outcome, Request
from operations.versions.commits import commit_of
from operations.versions.publishing import publish
from operations.versions.registration import numbers
from operations.versions.registry import Registry
from pipeline.checks.parameters import ValidationParameters
from pipeline.config.errors import PipelineError
from pipeline.config.packages import check_packages
from pipeline.config.parameters import load
from pipeline.tracking.lineage import LOCK, locked_tags

SOURCE = "ingestion"
# How long to wait for a server that goes away during the run, in seconds.
SERVER_TIMEOUT = 60.0


def retrain(request: Request) -> Outcome:
    """Run the requested stages in the current folder, and publish the result.

    Raises:
        PipelineError: data cannot be fetched, ingestion would run but may not, a stage fails, or publishing
            fails (see `operations.versions.publishing.publish`).
    """
    if request.finish is not None:
        return outcome_of(finish(request.finish, request.branch))
    if request.data_from is not None:
        return on_data_of(request.data_from, request)
    check_commit()
    if request.keep_data:
        on_kept_data(request)
    else:
        on_new_data(request)
        # An unchanged lock may become the first version. Later, its version was deleted, and stays so.
        registry = Registry()
        if LOCK.name not in changed() and not known(registry) and numbers(registry):
            return outcome(
                "unchanged",
                "nothing changed; no version holds this model: 'dvc pull', then 'pipeline publish'",
            )
    return outcome_of(
        retrying(
            lambda: publish(request.branch, promote=request.may_promote), SERVER_TIMEOUT, request.reads_source
        )
    )


def check_commit() -> None:
    """Check parameters, packages and remotes before the first stage runs.

    Raises:
        ConfigurationError: a later stage, or publishing, would refuse them.
    """
    # The recipe of the lock has passed this check, which imports scikit-learn.
    if recipe_changed():
        from operations.readiness.parameters import parameters

        parameters()
    check_packages()
    check_remotes()


def on_kept_data(request: Request) -> None:
    """Situation A: fetch the data of the lock, and run the stages that changed.

    Raises:
        PipelineError: ingestion would run, and the request does not allow it.
    """
    retrying(pull, SERVER_TIMEOUT, request.reads_source)
    reads = SOURCE in stale()
    if reads and not request.read_source:
        raise PipelineError(
            "ingestion would read the source again, since its code, its parameters or the schema changed: "
            "allow it with --read-source, or undo that change"
        )
    if reads and stops_on_change():
        compare_new_data(request)
    if request.everything:
        retrying(
            lambda: run_stages("--force", "--downstream", "validation"), SERVER_TIMEOUT, request.reads_source
        )
    retrying(run_changed, SERVER_TIMEOUT, request.reads_source)


def on_new_data(request: Request) -> None:
    """Situation B: always read the source, then run the stages whose input changed."""
    # Reuse the outputs in the cache; a first run has none.
    with dvc_repository("checkout") as repo:
        repo.checkout(allow_missing=True)
    stops = stops_on_change()
    words = ("--force",) if request.everything and not stops else ("--force", "--single-item", SOURCE)
    retrying(lambda: run_stages(*words), SERVER_TIMEOUT, request.reads_source)
    if stops:
        compare_new_data(request)
        if request.everything:
            retrying(
                lambda: run_stages("--force", "--downstream", "validation"),
                SERVER_TIMEOUT,
                request.reads_source,
            )
    retrying(run_changed, SERVER_TIMEOUT, request.reads_source)


def run_changed() -> None:
    """Run the stages that changed; if there are none, start no DVC process."""
    if stale():
        run_stages()


def run_stages(*words: str) -> None:
    """Run `dvc repro`. Meanwhile, a thread imports MLflow and opens its store, which takes seconds.

    A failed stage does not wait for the thread. `operations.readiness.asking` says why the thread must not be
    the first to import pyarrow.

    Raises:
        PipelineError: a stage failed.
    """
    thread = Thread(target=open_registry, daemon=True)
    thread.start()
    repro(*words)
    thread.join()


def open_registry() -> None:
    """Import MLflow and open its store. Publishing reports what is wrong with them."""
    with suppress(PipelineError, OSError):
        Registry()


def stops_on_change() -> bool:
    """Whether data that changed too far from the champion's stops a retrain before training."""
    return load("validation", ValidationParameters).on_change == "stop"


def compare_new_data(request: Request) -> None:
    """Validate new data, and compare it with the champion's.

    Raises:
        PipelineError: it changed too far.
    """
    from operations.versions.data_gate import stop_on_changed_data

    retrying(lambda: run_stages("validation"), SERVER_TIMEOUT, request.reads_source)
    retrying(stop_on_changed_data, SERVER_TIMEOUT, request.reads_source)


def on_data_of(number: int, request: Request) -> Outcome:
    """Train with today's code and changed parameters on the exact data of an older version.

    Only its tag refers to the new version's commit: the branch keeps its own data and parameters.
    """
    registry = Registry()
    source = registry.version(number)
    registry.check_counts(source)
    commit = commit_of(source)
    override(request.overrides)
    check_commit()
    stages = lock_data_of(commit)
    retrying(lambda: pull(*stages), SERVER_TIMEOUT, False)
    # Keep the raw data, although ingestion's code and parameters may have changed since.
    with dvc_repository("commit") as repo:
        repo.commit(SOURCE, force=True)
    retrying(run_stages, SERVER_TIMEOUT, False)
    return outcome_of(retrying(lambda: publish(None, source, request.may_promote), SERVER_TIMEOUT, False))


def known(registry: Registry) -> bool:
    """Whether a version has the model of the lock here."""
    model = locked_tags().get("model.md5")
    return any(version.tags.get("model.md5") == model for version in registry.counting())
