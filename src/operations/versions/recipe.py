"""What publishing commits: the lock, the parameters, the outputs that DVC leaves to Git; and no more."""

from pathlib import Path

from operations.console import echo
from operations.git_and_dvc.dvc_repository import kept_by_git, refuse_stale
from operations.git_and_dvc.git import SETTINGS, changed, git, head, overlooked, settings_changed
from pipeline.config.errors import PipelineError
from pipeline.config.parameters import PATH
from pipeline.tracking.lineage import LOCK


def check_workspace() -> None:
    """Refuse to publish what the lock does not describe.

    Raises:
        PipelineError: a stage has yet to run, code is not committed, or nobody would keep an output.
    """
    refuse_stale()
    if hidden := overlooked():
        raise PipelineError(
            f"Git was told to overlook how these differ: {', '.join(hidden[:3])}: 'git update-index "
            "--no-assume-unchanged --no-skip-worktree' and their names, then 'dvc repro'"
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
    """Return what changed of what publishing commits: the lock, the parameters, the outputs `kept` by Git."""
    mine = {str(LOCK), str(PATH), *kept}
    return [path for path in changed() if mine & {path, *map(str, Path(path).parents)}]


def commit_recipe(message: str) -> str:
    """Commit the recipe if it changed, and return the commit."""
    if mine := recipe(kept_by_git()):
        git("add", "--", *mine)
        git("commit", "--quiet", "--message", message)
    return git("rev-parse", "HEAD")


def undo_commit(start: tuple[str, str]) -> None:
    """Take the commit back that came after the `start`, and leave its changes in the workspace."""
    branch, before = start
    # What somebody else committed or checked out meanwhile is theirs.
    if head()[0] != branch or before not in git("rev-parse", "HEAD", "HEAD~1", check=False).split():
        return
    # If it cannot be, for a lock that was left, say, that is why the push failed too, and is told.
    git("reset", "--quiet", "--soft", before, check=False)
    git("reset", "--quiet", check=False)
