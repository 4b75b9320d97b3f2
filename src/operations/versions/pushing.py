"""Commits, tags and pushes a version, atomically: the commit with its tag, or neither."""

from contextlib import suppress

from operations.console import echo
from operations.git_and_dvc.dvc_repository import push_data
from operations.git_and_dvc.git import REMOTE, GitError, git, head, remote_tags
from operations.versions.recipe import commit_recipe, undo_commit
from operations.versions.registry import Registry
from operations.versions.tags import PATTERN, all_here, make_tag, numbers_of
from operations.versions.version import LOCAL, PUSHING, TAG, Publication, Version, tag_of
from pipeline.config.errors import PipelineError


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
