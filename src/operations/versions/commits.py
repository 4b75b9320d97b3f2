"""The commit of a version, from its Git tag."""

from operations.git_and_dvc.git import REMOTE, GitError, git, has_remote
from operations.versions.tags import fetch_tag, tag_here
from operations.versions.version import Version
from pipeline.config.errors import PipelineError


def commit_of(version: Version) -> str:
    """Return the commit of a version, fetched if it is not in this clone.

    Raises:
        PipelineError: neither this clone nor the remote has its tag, or the tag names another commit.
    """
    if version.local:
        if tag_here(version) is None:
            raise PipelineError(
                f"the tag {version.tag} of version {version.number} is not here: the version is local to the "
                "clone that published it"
            )
        return version.tags["git.commit"]
    if has_remote():
        fetch_tag(version.tag, check=False)
    try:
        commit = git("rev-parse", "--verify", "--quiet", f"refs/tags/{version.tag}^{{commit}}")
    except GitError:
        where = "nor on the remote" if has_remote() else f"and this clone has no Git remote {REMOTE}"
        raise PipelineError(f"the tag {version.tag} is neither here {where}") from None
    if commit != version.tags.get("git.commit"):
        raise PipelineError(
            f"the tag {version.tag} names another commit than MLflow's version {version.number}"
        )
    return commit
