"""Refuses repository layouts in which a version could not be published or restored."""

from operations.git_and_dvc.git import git
from pipeline.config.errors import ConfigurationError


def check_layout() -> None:
    """Check that the current folder is the root of a normal Git repository, or of none.

    Raises:
        ConfigurationError: it is a folder of a larger repository or a submodule, whose worktree is not a
            checkout of the pipeline; or a partial clone, where DVC cannot read old commits.
    """
    if inside := git("rev-parse", "--show-prefix", check=False):
        raise ConfigurationError(
            f"the project lies in the folder {inside.rstrip('/')} of a larger Git repository: versions need "
            "a repository of their own"
        )
    if git("rev-parse", "--show-superproject-working-tree", check=False):
        raise ConfigurationError("the project is a Git submodule here: work in a clone of its own")
    listed = git("config", "--type=bool", "--get-regexp", r"^remote\..*\.promisor$", check=False)
    if any(line.endswith(" true") for line in listed.splitlines()):
        raise ConfigurationError("DVC cannot read a partial clone: clone without --filter")
