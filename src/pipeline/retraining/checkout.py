"""The checkout that people look at: where its branch is, and how it gets there after a retrain."""

from pathlib import Path

from pipeline.dvc_process import dvc
from pipeline.errors import PipelineError
from pipeline.git import REMOTE, changed, git, has_remote
from pipeline.git import branch as current_branch
from pipeline.retraining.request import Outcome
from pipeline.retraining.stopping import StoppedError

# There while the lock is brought forward and the artifacts have yet to follow: a run may be killed between.
UNFINISHED = Path(".dvc/tmp/checkout-unfinished")


def newest(branch: str) -> str:
    """Return the newest commit of a branch, here or on the Git remote.

    Raises:
        PipelineError: the two have gone different ways, or the remote is away.
    """
    here = git("rev-parse", "HEAD")
    if not has_remote() or not git("ls-remote", REMOTE, f"refs/heads/{branch}"):
        return here
    git("fetch", "--quiet", REMOTE, f"refs/heads/{branch}")
    there = git("rev-parse", "FETCH_HEAD")
    if is_ancestor(here, there):
        return there
    if is_ancestor(there, here):
        return here
    raise PipelineError(f"{branch} here and on {REMOTE} have gone different ways: 'git pull' first")


def is_ancestor(older: str, newer: str) -> bool:
    """Whether one commit is in the history of another, or is it."""
    return git("merge-base", older, newer, check=False) == older


def bring_forward(branch: str, outcome: Outcome) -> str:
    """Bring the checkout to the newest commit of its branch, if it has nothing to lose; say what was done."""
    try:
        catch_up()
        if current_branch() != branch:
            return f"this checkout is on another branch than {branch} now, and was left alone"
        # Without a remote the commit is the branch's only if it is made so here.
        target = newest(branch) if has_remote() else outcome.commit
        if target is None or is_ancestor(target, git("rev-parse", "HEAD")):
            return "this checkout is up to date"
        if changed():
            return "this checkout has changes of its own and was left alone: 'git pull' and 'dvc checkout'"
        UNFINISHED.touch()
        git("merge", "--quiet", "--ff-only", target)
        catch_up()
    except StoppedError:
        raise
    except PipelineError as error:
        return f"this checkout was not brought forward: {error}"
    return "this checkout was brought forward"


def catch_up() -> None:
    """Let the artifacts follow the lock, if it was brought forward and they were not.

    Raises:
        PipelineError: DVC cannot check them out; the next run tries again.
    """
    if UNFINISHED.exists():
        dvc("checkout", "--quiet")
        UNFINISHED.unlink()
