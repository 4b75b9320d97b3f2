"""Refuses repository layouts in which a version could not be published or restored."""

from pathlib import Path

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


def check_worktree(remote: str) -> None:
    """Check that a DVC remote, by its URL, outlives this checkout.

    Raises:
        ConfigurationError: it is a folder in a linked worktree, and is deleted with it.
    """
    own, common = git("rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir").splitlines()
    # A bare repository has no main checkout, so its worktrees are not temporary.
    linked = own != common and Path(common).name == ".git"
    if linked and "://" not in remote and Path(remote).resolve().is_relative_to(Path.cwd()):
        raise ConfigurationError(
            f"the DVC remote {remote} is a folder in this worktree, and is deleted with it: name one that "
            "stays ('dvc remote modify --local NAME url PATH')"
        )
