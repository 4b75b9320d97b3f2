"""Refuses a repository of a shape in which a version could not be made whole, or not be restored."""

from pathlib import Path

from operations.git_and_dvc.git import git
from pipeline.config.errors import ConfigurationError


def check_layout() -> None:
    """Look how the current folder, the root of a checkout, lies in its Git repository, if it lies in one.

    Raises:
        ConfigurationError: in a folder of a larger one, or as a submodule: a worktree of it is no checkout of
            the pipeline; or in a partial clone: DVC reads old commits, and does not fetch what Git left out.
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
        raise ConfigurationError("this is a partial clone, of which DVC cannot read: clone without --filter")


def check_worktree(remote: str) -> None:
    """Look whether a DVC remote, by its URL, outlives this checkout.

    Raises:
        ConfigurationError: it is a folder in a linked worktree, and goes with it.
    """
    own, common = git("rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir").splitlines()
    # The worktrees of a bare repository are all that there is.
    linked = own != common and Path(common).name == ".git"
    if linked and "://" not in remote and Path(remote).resolve().is_relative_to(Path.cwd()):
        raise ConfigurationError(
            f"the DVC remote {remote} is a folder in this worktree, and goes with it: name one that stays "
            "('dvc remote modify --local NAME url PATH')"
        )
