"""Publishes the result of `dvc repro` as a version, in steps that can be interrupted anywhere.

The order guarantees that a version can be restored: the data is on the remote before a commit names it, the
commit is pushed before a version names it, and the version exists before it can be champion. When it runs
again, each step skips what is done.
"""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from operations.console import echo
from operations.git_and_dvc.dvc_process import repro
from operations.git_and_dvc.dvc_repository import not_on_remote, push_data
from operations.git_and_dvc.git import changed, check_identity, head
from operations.git_and_dvc.origin import check_push
from operations.git_and_dvc.remote_settings import check_remotes
from operations.versions.card import write_cards
from operations.versions.decision import Decision
from operations.versions.pushing import commit_and_push, keep_lock
from operations.versions.recipe import check_workspace
from operations.versions.registration import finish_registrations, register
from operations.versions.registry import Registry
from operations.versions.served_answers import started_early
from operations.versions.tags import named_here
from operations.versions.version import (
    ASKED,
    COMPARISON,
    DATA_FROM,
    DECISION,
    DRIFT,
    NOT_ASKED,
    PROMOTE,
    Version,
)
from pipeline.config.errors import PipelineError
from pipeline.tracking.lineage import locked_tags

# These tags identify the run of a model. They include the metrics: one model may have runs of other scores.
CONTENT = ("data.raw.md5", "data.train.md5", "model.md5", "metrics.md5", "slices.md5")


@dataclass(frozen=True)
class Published:
    """The version of this model, whether it is new, whether it is champion, and the decision on it.

    `verdict` is the decision in a word, as `Version.verdict`, and `drift` what `Drift` records.
    """

    version: int
    commit: str
    new: bool
    champion: bool
    verdict: str
    decision: Decision
    comparison: Decision | None = None
    drift: dict[str, Any] | None = None


def publish(branch: str | None, source: Version | None = None, promote: bool = True) -> Published:
    """Publish the workspace on a branch, or finish an interrupted publication.

    If a store of versions is in this clone, the version is local: its commit and its tag are not pushed.

    With `source`, the data is that of an older version. Then `branch` is None, and only the tag refers to the
    version's commit. Without `promote`, the version is compared with the champion but not promoted.

    Raises:
        PipelineError: the workspace does not match its lock, or Git, the remote or MLflow refuses; the steps
            done so far are complete, the others have changed nothing.
    """
    start = head()
    if branch and start[0] not in {"", f"refs/heads/{branch}"}:
        raise PipelineError(
            f"{branch} is not checked out any more, and nothing was published: switch back to it"
        )
    check_identity()
    check_remotes()
    check_workspace()
    tags = locked_tags() | ({DATA_FROM: source.tag} if source else {})
    if source or not promote:
        tags[PROMOTE] = ASKED if promote else NOT_ASKED
    # A model that no tag here names is probably new, and will be served once.
    with nullcontext() if named_here(tags["model.md5"]) else started_early():
        return publish_checked(tags, branch, source, start)


def publish_checked(
    tags: dict[str, str], branch: str | None, source: Version | None, start: tuple[str, str]
) -> Published:
    """Publish the model that `tags` name from a checked workspace, or finish its publication.

    Raises:
        PipelineError: see `publish`.
    """
    registry = Registry()
    if registry.unshared:
        echo(f"local version: {registry.unshared}")
    else:
        check_push()
    finish_registrations(registry)
    current = start[1]
    known = [version for version in registry.counting() if version.tags.get("model.md5") == tags["model.md5"]]
    if not known:
        version = registered(registry, tags, branch, start)
        echo(f"publishing: comparing version {version.number} with the champion")
        return decided(registry, version, True, current, source)
    if branch and changed():
        keep_lock(registry, branch, known[-1], start)
    # The remote may have lost data that this run made again.
    if not_on_remote():
        push_data()
    version = known[-1]
    if source and tags[PROMOTE] == ASKED and version.tags.get(PROMOTE) == NOT_ASKED and not version.champion:
        return reconsidered(registry, version, current, source)
    # Without a decision, an interrupted attempt registered it: it counts as new.
    return decided(registry, version, version.decision is None, current, source)


def registered(
    registry: Registry, tags: dict[str, str], branch: str | None, start: tuple[str, str]
) -> Version:
    """Push the data, the commit and the tag of a new model, and return its registered version.

    Raises:
        PipelineError: see `publish`; or MLflow has no run of the model.
    """
    from operations.versions.promotion import check_champion

    run = registry.run_of({name: tags[name] for name in CONTENT})
    if run is None:
        # The model came from a cache or was logged to another MLflow server: evaluate it again to log it.
        repro("--force", "--single-item", "evaluation")
        tags |= locked_tags()
        run = registry.run_of({name: tags[name] for name in CONTENT})
    if run is None:
        raise PipelineError(
            "MLflow has no run of this model, also after its evaluation: is it the same server?"
        )
    check_champion(registry)
    echo("publishing: pushing the data")
    push_data()
    publication = commit_and_push(registry, run, tags, branch, start)
    # A `gc` of another clone in the meantime did not know this version.
    if not_on_remote():
        push_data()
    echo(f"publishing: registering version {publication.number}")
    return registry.version(register(registry, publication))


def decided(
    registry: Registry, version: Version, new: bool, current: str, source: Version | None
) -> Published:
    """Compare a version with the champion, and with the version that its data is from.

    With `source`, the holdout is that of the branch's commit `current`, else that of the workspace.
    """
    if version.decision is None:
        registry.mark_registered(version)
    if version.decision and version.settled:
        decision = Decision(**version.decision)
    else:
        from operations.versions.promotion import decide

        decision = decide(registry, version, current if source else None)
    comparison = None
    # The same model may have been published with other data before: then its lineage stays.
    if source and version.tags.get(DATA_FROM) == source.tag:
        if kept := version.kept(COMPARISON):
            comparison = Decision(**kept)
        else:
            from operations.versions.promotion import compare_with_source

            comparison = compare_with_source(registry, version, source)
    now = registry.version(version.number)
    write_cards(registry, now.number, again=version.decision is None)
    verdict = now.verdict or "not promoted"
    commit, drift = now.tags["git.commit"], now.kept(DRIFT)
    return Published(now.number, commit, new, now.champion, verdict, decision, comparison, drift)


def reconsidered(registry: Registry, version: Version, current: str, source: Version) -> Published:
    """Compare a version that was published without promotion again, and promote it if it passes."""
    registry.record(version.number, PROMOTE, ASKED)
    tags = {name: value for name, value in version.tags.items() if name != DECISION} | {PROMOTE: ASKED}
    result = decided(registry, replace(version, tags=tags), False, current, source)
    return replace(result, new=result.champion)
