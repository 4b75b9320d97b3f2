"""Publishing: what `dvc repro` made here becomes a version, in steps that can be interrupted anywhere.

The order is what makes a version trustworthy: the data is on the remote before a commit names it, the
commit is pushed before a version names it, and the version exists before it can be champion. Run again,
each step finds what is done already.
"""

from contextlib import suppress
from dataclasses import dataclass, replace

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

# By these a run is known for that of a model: the same model may have been scored otherwise, too.
CONTENT = ("data.raw.md5", "data.train.md5", "model.md5", "metrics.md5")


@dataclass(frozen=True)
class Published:
    """The version that holds this model, whether it is new and is champion, and the decision on it.

    `verdict` is the decision in a word, as in `Version.verdict`.
    """

    version: int
    commit: str
    new: bool
    champion: bool
    verdict: str
    decision: Decision
    comparison: Decision | None = None


def publish(branch: str | None, source: Version | None = None, promote: bool = True) -> Published:
    """Publish the workspace on a branch, or finish a publication that was interrupted.

    While a store of versions lies in this clone, the version is local: its commit and its tag stay here.

    Where the data is that of an older version, `source`, the branch has gone another way: then it is None,
    and the version is a commit that its tag alone holds. Without `promote` the version is compared with the
    champion, and not promoted.

    Raises:
        PipelineError: the workspace is not what its lock says, or Git, the remote or MLflow refuses; what
            was published by then is whole, and the rest as it was.
    """
    start = head()
    if branch and start[0] not in {"", f"refs/heads/{branch}"}:
        raise PipelineError(
            f"{branch} is not checked out any more, and nothing was published: switch back to it"
        )
    check_identity()
    check_remotes()
    check_push()
    check_workspace()
    registry = Registry()
    if registry.unshared:
        echo(f"local version: {registry.unshared}")
    finish_registrations(registry)
    tags = locked_tags() | ({DATA_FROM: source.tag} if source else {})
    if source or not promote:
        tags[PROMOTE] = ASKED if promote else NOT_ASKED
    current = start[1]
    known = [version for version in registry.counting() if version.tags.get("model.md5") == tags["model.md5"]]
    if known:
        if branch and changed():
            keep_lock(registry, branch, known[-1], start)
        # The remote may have lost what was made again here.
        if not_on_remote():
            push_data()
        version = known[-1]
        if source and promote and version.tags.get(PROMOTE) == NOT_ASKED and not version.champion:
            return reconsidered(registry, version, current, source)
        # One without a decision was registered by an attempt that went no further: it is new.
        return decided(registry, version, version.decision is None, current, source)
    run = registry.run_of({name: tags[name] for name in CONTENT})
    if run is None:
        # The model came from a cache, or from another MLflow server: evaluating it again logs it.
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
    # Who deleted old data meanwhile did not know of this version.
    if not_on_remote():
        push_data()
    echo(f"publishing: registering version {publication.number}")
    number = register(registry, publication)
    echo(f"publishing: comparing version {number} with the champion")
    return decided(registry, registry.version(number), True, current, source)


def decided(
    registry: Registry, version: Version, new: bool, current: str, source: Version | None
) -> Published:
    """Compare a version with the champion, and with the version that its data came from.

    The holdout is that of the commit `current`, on the branch, for a model of older data, and else the
    workspace's own.
    """
    if version.decision is None:
        registry.mark_registered(version)
    decision = decide(registry, version, current if source else None)
    comparison = None
    # The same model may have been made of other data before: then its lineage stays as it is.
    if source and version.tags.get(DATA_FROM) == source.tag:
        kept = version.kept(COMPARISON)
        comparison = Decision(**kept) if kept else compare_with_source(registry, version, source)
    now = registry.version(version.number)
    verdict = now.verdict or "not promoted"
    return Published(now.number, now.tags["git.commit"], new, now.champion, verdict, decision, comparison)


def reconsidered(registry: Registry, version: Version, current: str, source: Version) -> Published:
    """Compare a version that was published without promotion with the champion again, now to promote it."""
    registry.record(version.number, PROMOTE, ASKED)
    tags = {name: value for name, value in version.tags.items() if name != DECISION} | {PROMOTE: ASKED}
    found = decided(registry, replace(version, tags=tags), False, current, source)
    return replace(found, new=found.champion)


def commit_and_push(
    registry: Registry, run: str, tags: dict[str, str], branch: str | None, start: tuple[str, str]
) -> Publication:
    """Commit the lock and the parameters, tag the commit, and push the tag and the branch, both or neither.

    Those of a local version are not pushed.

    Raises:
        PipelineError: somebody was faster; commit and tag are undone. Or HEAD is no more what it was at the
            `start`, and nothing was done. Or pushes go elsewhere than others fetch from.
    """
    number, local = next_number(registry), registry.unshared is not None
    name = tag_of(number)
    check_head(start)
    try:
        commit = commit_recipe(f"Model version {number}")
        tags |= {"git.commit": commit, TAG: name} | ({LOCAL: "true"} if local else {})
        publication = Publication(number, run, tags)
        # If a killed job had said so, and a version has this commit, it is its own.
        echo(f"publishing: {PUSHING} {commit} and its tag {name}")
        make_tag(publication, name, commit)
        if not local:
            push(branch, commit, f"refs/tags/{name}")
    except (GitError, OSError):
        if not local and took(name):
            # Only its answer was lost.
            return publication
        git("tag", "--delete", name, check=False)
        undo_commit(start)
        raise
    if not local:
        check_arrived(name, commit)
    return publication


def next_number(registry: Registry) -> int:
    """Return the number of the next version: above those of MLflow and of all tags that it might clash with.

    That of a local version clashes with no tag of this clone and, as far as it can be asked, of origin.
    """
    numbers = {version.number for version in registry.versions()}
    if registry.unshared is None:
        return max({0} | numbers | {*numbers_of(remote_tags(PATTERN))}) + 1
    with suppress(GitError):
        numbers |= {*numbers_of(remote_tags(PATTERN))}
    return max({0} | numbers | {*numbers_of(all_here())}) + 1


def took(name: str) -> bool:
    """Whether the remote has the tag `name` on this commit, as far as it can be asked.

    If it took the tag and cannot be asked now, the next retrain finds the tag there, and finishes its
    version; whoever publishes by hand is told to pull.
    """
    try:
        return remote_tags(name).get(name) == git("rev-parse", "HEAD")
    except GitError:
        return False


def check_head(start: tuple[str, str]) -> None:
    """Look whether the branch and the commit are what they were: what is committed is on them.

    Raises:
        PipelineError: somebody checked out another one, or committed.
    """
    if head() != start:
        raise PipelineError(
            "another branch or commit was checked out meanwhile, and nothing was published: switch back, and "
            "run it again"
        )


def check_arrived(name: str, commit: str) -> None:
    """Look whether a tag that was pushed is where others fetch from: else they could not restore the version.

    Raises:
        PipelineError: it is not. The push stands: when the tag is there, the next run finishes the version.
    """
    try:
        arrived = remote_tags(name).get(name) == commit
    except GitError:
        # It took the push, and cannot be asked now.
        return
    if not arrived:
        raise PipelineError(
            f"{name} was pushed, and {REMOTE} has it not: it pushes elsewhere than it fetches from, where "
            f"others find no version. Correct that ('git remote get-url --push {REMOTE}') and run it again, "
            "or if it is a mirror that follows, run it again later"
        )


def keep_lock(registry: Registry, branch: str, version: Version, start: tuple[str, str]) -> None:
    """Commit the lock of a run that made the model of a version again, so that no later run repeats it.

    It is pushed as a version would be.

    Raises:
        PipelineError: somebody was faster; the commit is undone.
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
    """Push a commit as a branch, and other refs with it, all or none.

    Raises:
        GitError: the remote refuses; says what to do if somebody was faster.
    """
    heads = [f"{commit}:refs/heads/{branch}"] if branch else []
    try:
        git("push", "--quiet", "--no-follow-tags", "--atomic", REMOTE, *heads, *refs)
    except GitError as error:
        raise GitError(
            f"{error}; nothing was published. If somebody was faster: 'git stash', 'git pull', "
            "'git stash pop', 'dvc repro', then publish again"
        ) from None
