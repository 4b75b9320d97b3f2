"""Deleting old data safely, and the drill that proves every version to be restorable."""

from collections.abc import Iterator
from pathlib import Path

from operations.git_and_dvc.dvc_process import dvc
from operations.git_and_dvc.git import REMOTE, git, has_remote
from operations.git_and_dvc.worktrees import shared_cache
from operations.readiness.waiting import check_remote
from operations.versions.registry import Registry
from operations.versions.restoring import commit_of, prove
from operations.versions.tags import PATTERN
from operations.versions.version import Version
from pipeline.config.errors import ConfigurationError, PipelineError

# Git's own names of remote branches mean nothing to `dvc gc`, and a tag on origin may have the name of one
# that is here: while it runs, these tags stand for both.
KEEP_REFS = "refs/tags/keep-remote"


def collect_garbage(cloud: bool, dry: bool) -> str:
    """Delete from the cache, and from the remote too if `cloud`, what nothing that counts needs.

    What counts: every version of the team, every local version of this clone, every branch here and on the
    Git remote, the experiments of this clone, and the workspace. The tags are fetched first, since a clone
    that lacks one would delete that version's data.

    Returns:
        What DVC said.

    Raises:
        PipelineError: the DVC remote, Git's or MLflow is away, or a version's tag is missing or names another
            commit; nothing was deleted.
    """
    check_remote()
    check_cache(dry)
    registry = Registry()
    for version in registry.versions():
        if not version.local or registry.counts(version):
            commit_of(version)
    delete_keep_refs()
    try:
        if has_remote():
            refs = (f"+refs/heads/*:{KEEP_REFS}/heads/*", f"+refs/tags/{PATTERN}:{KEEP_REFS}/tags/{PATTERN}")
            git("fetch", "--quiet", "--no-tags", REMOTE, *refs)
        flags = (["--cloud"] if cloud else []) + (["--dry"] if dry else [])
        scope = ("--workspace", "--all-tags", "--all-branches", "--all-experiments")
        return dvc("gc", *scope, "--force", *flags)
    finally:
        delete_keep_refs()


def check_cache(dry: bool) -> None:
    """Look whether the DVC cache is this repository's alone.

    Raises:
        ConfigurationError: it may be other clones' too, and nobody knows what they have not published.
    """
    cache = shared_cache()
    # A link in its usual place says that it is this clone's, on another disk.
    usual = Path(".dvc/cache").resolve()
    if not dry and cache != usual and not cache.is_relative_to(Path.cwd()):
        raise ConfigurationError(
            f"the DVC cache {cache} lies outside this clone, and others may use it: what they have not "
            "published would be deleted. If it is this clone's alone, make .dvc/cache a link to it"
        )


def delete_keep_refs() -> None:
    """Delete the tags that stand for what is on the Git remote."""
    for name in git("for-each-ref", "--format=%(refname)", KEEP_REFS).splitlines():
        git("update-ref", "-d", name)


def drill() -> Iterator[tuple[Version, str | None]]:
    """Restore every version that counts here from an empty cache, one after the other, byte for byte.

    Yields:
        The version, and what is wrong with it, if anything is.

    Raises:
        PipelineError: the DVC remote or MLflow is away.
    """
    check_remote()
    has_remote()  # or another name than that of ours is refused once, and not for each version
    registry = Registry()
    for version in registry.counting():
        try:
            prove(registry, version)
            yield version, None
        except PipelineError as error:
            yield version, str(error)
