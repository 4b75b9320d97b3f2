"""Brings the user's checkout to the newest commit of its branch after a retrain."""

from pathlib import Path

from operations.git_and_dvc.dvc_process import dvc
from operations.git_and_dvc.git import REMOTE, changed, git, has_remote
from operations.git_and_dvc.git import branch as current_branch
from operations.retraining.stopping import StoppedError, signals_deferred
from operations.versions.sharing import unshared
from pipeline.config.errors import PipelineError, message_and_code
from pipeline.tracking.lineage import LOCK

# Exists while the lock is merged but the artifacts are not checked out: a run may be killed in between.
UNFINISHED = Path(".dvc/tmp/checkout-unfinished")


def newest(branch: str) -> str:
    """Return the newest commit of a branch, here or on the Git remote; if they have diverged, the local one.

    Raises:
        PipelineError: the two have diverged and versions here are shared, or the remote is away.
    """
    # Full names of refs: another branch may be checked out or fetched at this moment.
    here = git("rev-parse", "--verify", f"refs/heads/{branch}")
    listed = git("ls-remote", REMOTE, f"refs/heads/{branch}") if has_remote() else ""
    # `git ls-remote` also matches the end of a name.
    commits = [line.split()[0] for line in listed.splitlines() if line.split()[1] == f"refs/heads/{branch}"]
    if not commits:
        return here
    (there,) = commits
    git("fetch", "--quiet", REMOTE, f"refs/heads/{branch}")
    if is_ancestor(here, there):
        return there
    if is_ancestor(there, here):
        return here
    if unshared():
        # The commits of local versions are not pushed, so a new commit on the remote must not stop a trial.
        return here
    raise PipelineError(f"{branch} here and on {REMOTE} have diverged: 'git pull --rebase' first")


def is_ancestor(older: str, newer: str) -> bool:
    """Whether one commit is an ancestor of another, or the same."""
    return git("merge-base", older, newer, check=False) == older


def bring_forward(branch: str, made: str) -> str:
    """Bring the checkout to the newest commit of its branch, unless it has changes; return what was done.

    A commit that a run `made` and did not push is merged into the branch too.
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
            # Killed during a merge, Git leaves its lock files and a half-updated checkout.
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
    """Check out the artifacts of the lock, if an interrupted run merged the lock only.

    Raises:
        PipelineError: DVC cannot check them out, since a file is in the way; the next run tries again.
    """
    # With a changed or missing lock, DVC would remove the artifacts that the lock does not name.
    if UNFINISHED.exists() and LOCK.name not in changed():
        try:
            dvc("checkout")
        except PipelineError as error:
            hint = "move what is yours away, or give it up: 'dvc checkout --force'"
            raise PipelineError(f"its artifacts do not follow: {error}; {hint}") from None
        UNFINISHED.unlink()
