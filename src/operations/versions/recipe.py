"""Commits the recipe of a version: the lock, the parameters, and the outputs that DVC leaves to Git."""

from pathlib import Path

from operations.console import echo
from operations.git_and_dvc.dvc_repository import kept_by_git, refuse_stale
from operations.git_and_dvc.git import SETTINGS, changed, git, head, overlooked, settings_changed
from pipeline.config.errors import PipelineError
from pipeline.config.parameters import PATH
from pipeline.tracking.lineage import LOCK


def check_workspace() -> None:
    """Check that the lock describes the workspace.

    Raises:
        PipelineError: a stage has to run, code is not committed, or neither Git nor DVC stores an output.
    """
    refuse_stale()
    if hidden := overlooked():
        raise PipelineError(
            f"Git is set to ignore changes of {', '.join(hidden[:3])}: run 'git update-index "
            "--no-assume-unchanged --no-skip-worktree' with their names, then 'dvc repro'"
        )
    if settings_changed():
        echo(f"{SETTINGS} is not committed: the commit of this version names other remotes than those in use")
    kept = kept_by_git()
    if kept and (lost := git("ls-files", "--others", "--ignored", "--exclude-standard", "--", *kept)):
        raise PipelineError(
            f"neither Git nor DVC would keep {lost.splitlines()[0]}: take it out of .gitignore, or "
            "'cache: false' out of dvc.yaml"
        )
    if other := sorted(set(changed()) - set(recipe(kept))):
        raise PipelineError(
            f"not committed: {', '.join(other[:3])}: commit or remove it, then run 'dvc repro'"
        )


def recipe(kept: list[str]) -> list[str]:
    """Return the changed paths that publishing commits: lock, parameters, and outputs `kept` by Git."""
    mine = {str(LOCK), str(PATH), *kept}
    return [path for path in changed() if mine & {path, *map(str, Path(path).parents)}]


def commit_recipe(message: str) -> str:
    """Commit the recipe if it changed, and return the commit."""
    if mine := recipe(kept_by_git()):
        git("add", "--", *mine)
        git("commit", "--quiet", "--message", message)
    return git("rev-parse", "HEAD")


def undo_commit(start: tuple[str, str]) -> None:
    """Undo the commit made since the `start`, and leave its changes in the workspace."""
    branch, before = start
    # Another process may have committed or checked out something: leave that alone.
    if head()[0] != branch or before not in git("rev-parse", "HEAD", "HEAD~1", check=False).split():
        return
    # A failure, such as a stale lock file, also fails the push, which reports it.
    git("reset", "--quiet", "--soft", before, check=False)
    git("reset", "--quiet", check=False)
