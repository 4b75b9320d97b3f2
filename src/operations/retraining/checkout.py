"""The checkout that people look at: where its branch is, and how it gets there after a retrain."""

from pathlib import Path

from operations.git_and_dvc.dvc_process import dvc
from operations.git_and_dvc.git import REMOTE, changed, git, has_remote
from operations.git_and_dvc.git import branch as current_branch
from operations.retraining.stopping import StoppedError, signals_deferred
from pipeline.config.errors import PipelineError, message_and_code
from pipeline.tracking.lineage import LOCK

# There while the lock is brought forward and the artifacts have yet to follow: a run may be killed between.
UNFINISHED = Path(".dvc/tmp/checkout-unfinished")


def newest(branch: str) -> str:
    """Return the newest commit of a branch, here or on the Git remote.

    Raises:
        PipelineError: the two have gone different ways, or the remote is away.
    """
    # Somebody may check out another branch, or fetch another one, at this moment.
    here = git("rev-parse", "--verify", f"refs/heads/{branch}")
    listed = git("ls-remote", REMOTE, f"refs/heads/{branch}") if has_remote() else ""
    # It matches the end of a name, too.
    commits = [line.split()[0] for line in listed.splitlines() if line.split()[1] == f"refs/heads/{branch}"]
    if not commits:
        return here
    (there,) = commits
    git("fetch", "--quiet", REMOTE, f"refs/heads/{branch}")
    if is_ancestor(here, there):
        return there
    if is_ancestor(there, here):
        return here
    raise PipelineError(f"{branch} here and on {REMOTE} have gone different ways: 'git pull --rebase' first")


def is_ancestor(older: str, newer: str) -> bool:
    """Whether one commit is in the history of another, or is it."""
    return git("merge-base", older, newer, check=False) == older


def bring_forward(branch: str, made: str) -> str:
    """Bring the checkout to the newest commit of its branch, if it has nothing to lose; say what was done.

    A commit that a run `made` and did not push becomes the branch's here.
    """
    done = "was not brought forward"
    try:
        if current_branch() != branch:
            return f"this checkout is on another branch than {branch} now, and was left alone"
        target = newest(branch)
        if not is_ancestor(made, target):
            target = made
        if not is_ancestor(target, git("rev-parse", "HEAD")):
            if changed():
                return "this checkout has changes of its own and was left alone: 'git pull', 'dvc checkout'"
            UNFINISHED.touch()
            # Git that is killed in a merge leaves its locks and half of the files.
            with signals_deferred():
                git("merge", "--quiet", "--ff-only", target)
            done = "was brought forward"
        else:
            done = "is up to date"
        catch_up()
    except StoppedError:
        raise
    except (PipelineError, OSError) as error:
        return f"this checkout {done}: {message_and_code(error)[0]}"
    return f"this checkout {done}"


def catch_up() -> None:
    """Let the artifacts follow the lock, if it was brought forward and they were not.

    Raises:
        PipelineError: DVC cannot check them out, for something that is in the way; the next run tries again.
    """
    # With another lock than the commit's, or none, DVC would remove what it does not name.
    if UNFINISHED.exists() and LOCK.name not in changed():
        try:
            dvc("checkout")
        except PipelineError as error:
            hint = "move what is yours away, or give it up: 'dvc checkout --force'"
            raise PipelineError(f"its artifacts do not follow: {error}; {hint}") from None
        UNFINISHED.unlink()
