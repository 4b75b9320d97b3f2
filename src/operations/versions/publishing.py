"""Publishes the result of `dvc repro` as a version, in steps that can be interrupted anywhere.

The order guarantees that a version can be restored: the data is on the remote before a commit names it, the
commit is pushed before a version names it, and the version exists before it can be champion. When it runs
again, each step skips what is done.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from operations.console import echo
from operations.git_and_dvc.dvc_process import repro
from operations.git_and_dvc.dvc_repository import not_on_remote, push_data
from operations.git_and_dvc.git import (
    REMOTE,
    GitError,
    changed,
    check_identity,
    git,
    head,
    remote_tags,
)
from operations.git_and_dvc.origin import check_push
from operations.git_and_dvc.remote_settings import check_remotes
from operations.versions.card import write_cards
from operations.versions.comparison import Decision
from operations.versions.promotion import check_champion, compare_with_source, decide
from operations.versions.recipe import check_workspace, commit_recipe, undo_commit
from operations.versions.registration import finish_registrations, register
from operations.versions.registry import Registry
from operations.versions.tags import PATTERN, all_here, make_tag, numbers_of
from operations.versions.version import (
    ASKED,
    COMPARISON,
    DATA_FROM,
    DECISION,
    DRIFT,
    LOCAL,
    NOT_ASKED,
    PROMOTE,
    PUSHING,
    TAG,
    Publication,
    Version,
    tag_of,
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
    registry = Registry()
    if registry.unshared:
        echo(f"local version: {registry.unshared}")
    else:
        check_push()
    check_workspace()
    finish_registrations(registry)
    tags = locked_tags() | ({DATA_FROM: source.tag} if source else {})
    if source or not promote:
        tags[PROMOTE] = ASKED if promote else NOT_ASKED
    current = start[1]
    known = [version for version in registry.counting() if version.tags.get("model.md5") == tags["model.md5"]]
    if known:
        if branch and changed():
            keep_lock(registry, branch, known[-1], start)
        # The remote may have lost data that this run made again.
        if not_on_remote():
            push_data()
        version = known[-1]
        if source and promote and version.tags.get(PROMOTE) == NOT_ASKED and not version.champion:
            return reconsidered(registry, version, current, source)
        # Without a decision, an interrupted attempt registered it: it counts as new.
        return decided(registry, version, version.decision is None, current, source)
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
    number = register(registry, publication)
    echo(f"publishing: comparing version {number} with the champion")
    return decided(registry, registry.version(number), True, current, source)


def decided(
    registry: Registry, version: Version, new: bool, current: str, source: Version | None
) -> Published:
    """Compare a version with the champion, and with the version that its data is from.

    With `source`, the holdout is that of the branch's commit `current`, else that of the workspace.
    """
    if version.decision is None:
        registry.mark_registered(version)
    decision = decide(registry, version, current if source else None)
    comparison = None
    # The same model may have been published with other data before: then its lineage stays.
    if source and version.tags.get(DATA_FROM) == source.tag:
        kept = version.kept(COMPARISON)
        comparison = Decision(**kept) if kept else compare_with_source(registry, version, source)
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


def commit_and_push(
    registry: Registry, run: str, tags: dict[str, str], branch: str | None, start: tuple[str, str]
) -> Publication:
    """Commit the lock and the parameters, tag the commit, and push tag and branch atomically.

    The commit and the tag of a local version are not pushed.

    Raises:
        PipelineError: another push came first, and the commit and the tag are undone; HEAD changed since
            `start`, and nothing was done; or the push URL differs from the fetch URL.
    """
    number, local = next_number(registry), registry.unshared is not None
    name = tag_of(number)
    check_head(start)
    try:
        commit = commit_recipe(f"Model version {number}")
        tags |= {"git.commit": commit, TAG: name} | ({LOCAL: "true"} if local else {})
        publication = Publication(number, run, tags)
        # The service reads this line: it assigns the version of this commit to a killed job.
        echo(f"publishing: {PUSHING} {commit} and its tag {name}")
        make_tag(publication, name, commit)
        if not local:
            push(branch, commit, f"refs/tags/{name}")
    except (GitError, OSError):
        if not local and remote_has_tag(name):
            # The push succeeded, and only the answer was lost.
            return publication
        git("tag", "--delete", name, check=False)
        undo_commit(start)
        raise
    if not local:
        check_arrived(name, commit)
    return publication


def next_number(registry: Registry) -> int:
    """Return the number of the next version: above all versions in MLflow and all tags of versions.

    The number of a local version is above all tags of this clone and, if it answers, of origin.
    """
    numbers = {version.number for version in registry.versions()}
    if registry.unshared is None:
        return max({0} | numbers | {*numbers_of(remote_tags(PATTERN))}) + 1
    with suppress(GitError):
        numbers |= {*numbers_of(remote_tags(PATTERN))}
    return max({0} | numbers | {*numbers_of(all_here())}) + 1


def remote_has_tag(name: str) -> bool:
    """Whether the remote has the tag `name` on this commit; False if it does not answer.

    If the remote has the tag but does not answer, the next retrain finds the tag and finishes its version,
    and the next `pipeline publish` asks for a pull.
    """
    try:
        return remote_tags(name).get(name) == git("rev-parse", "HEAD")
    except GitError:
        return False


def check_head(start: tuple[str, str]) -> None:
    """Check that HEAD is still the branch and the commit of the `start`.

    Raises:
        PipelineError: another branch or commit was checked out, or a commit was added.
    """
    if head() != start:
        raise PipelineError(
            "another branch or commit was checked out meanwhile, and nothing was published: switch back, and "
            "run it again"
        )


def check_arrived(name: str, commit: str) -> None:
    """Check that a pushed tag is at the fetch URL too: other clones need it to restore the version.

    Raises:
        PipelineError: it is not. The push stands: once the tag is there, the next run finishes the version.
    """
    try:
        arrived = remote_tags(name).get(name) == commit
    except GitError:
        # The push succeeded, and the remote does not answer now.
        return
    if not arrived:
        raise PipelineError(
            f"{name} was pushed, but {REMOTE} does not list it: it pushes elsewhere than it fetches from. "
            f"Correct its push URL ('git remote get-url --push {REMOTE}') and run it again; if it is a "
            "mirror, run it again later"
        )


def keep_lock(registry: Registry, branch: str, version: Version, start: tuple[str, str]) -> None:
    """Commit and push the lock of a run that made the model of a version again, so that no run repeats it.

    Raises:
        PipelineError: another push came first; the commit is undone.
    """
    push_data()
    check_head(start)
    try:
        commit = commit_recipe(f"The model of version {version.number} again")
        if registry.unshared is None:
            push(branch, commit)
    except (GitError, OSError):
        undo_commit(start)
        raise


def push(branch: str | None, commit: str, *refs: str) -> None:
    """Push a commit to a branch, and other refs with it, atomically.

    Raises:
        GitError: the remote refuses; the message includes what to do if another push came first.
    """
    heads = [f"{commit}:refs/heads/{branch}"] if branch else []
    try:
        git("push", "--quiet", "--no-follow-tags", "--atomic", REMOTE, *heads, *refs)
    except GitError as error:
        raise GitError(
            f"{error}; nothing was published. If another push came first: 'git stash', 'git pull', "
            "'git stash pop', 'dvc repro', then publish again"
        ) from None
