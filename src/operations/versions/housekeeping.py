"""Garbage collection that keeps every version, and the drill that restores every version."""

from collections.abc import Iterator
from pathlib import Path

from operations.git_and_dvc.dvc_process import dvc
from operations.git_and_dvc.git import REMOTE, git, has_remote
from operations.git_and_dvc.worktrees import shared_cache
from operations.readiness.waiting import check_remote
from operations.versions.commits import commit_of
from operations.versions.registry import Registry
from operations.versions.restoring import prove
from operations.versions.tags import PATTERN
from operations.versions.version import Version
from pipeline.config.errors import ConfigurationError, PipelineError

# `dvc gc` ignores remote-tracking branches, and a tag on origin may have the name of a local tag. While it
# runs, tags below this prefix keep the data of both.
KEEP_REFS = "refs/tags/keep-remote"


def collect_garbage(cloud: bool, dry: bool) -> str:
    """Delete unreferenced data from the cache, and from the remote too if `cloud`.

    Kept is the data of every version of the team, every local version of this clone, every branch here and
    on the Git remote, the experiments of this clone, and the workspace. The tags are fetched first: a clone
    without a version's tag would delete its data.

    Returns:
        The output of `dvc gc`.

    Raises:
        PipelineError: the DVC remote, the Git remote or MLflow is away, or a version's tag is missing or
            names another commit; nothing was deleted.
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
    """Check that only this clone uses the DVC cache.

    Raises:
        ConfigurationError: other clones may use it, and may have unpublished data in it.
    """
    cache = shared_cache()
    # A symlink at the default path means a cache of this clone on another disk.
    usual = Path(".dvc/cache").resolve()
    if not dry and cache != usual and not cache.is_relative_to(Path.cwd()):
        raise ConfigurationError(
            f"the DVC cache {cache} lies outside this clone, and others may use it: what they have not "
            "published would be deleted. If it is this clone's alone, make .dvc/cache a link to it"
        )


def delete_keep_refs() -> None:
    """Delete the tags that keep the data of the Git remote's branches and tags."""
    for name in git("for-each-ref", "--format=%(refname)", KEEP_REFS).splitlines():
        git("update-ref", "-d", name)


def drill() -> Iterator[tuple[Version, str | None]]:
    """Restore every version of this clone from the remote into an empty cache, and verify each byte.

    Yields:
        The version, and what is wrong with it or None.

    Raises:
        PipelineError: the DVC remote or MLflow is away.
    """
    check_remote()
    has_remote()  # refuses a remote of another name once, instead of for each version
    registry = Registry()
    for version in registry.counting():
        try:
            prove(registry, version)
            yield version, None
        except PipelineError as error:
            yield version, str(error)
