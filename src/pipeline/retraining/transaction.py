"""A retrain as a transaction: one at a time, in a throw-away worktree, published whole or not at all."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from pydantic import TypeAdapter

from pipeline.dvc_process import SAID_BY_STAGE, dvc
from pipeline.errors import ConfigurationError, PipelineError, of_system
from pipeline.git import REMOTE, changed, git, has_remote
from pipeline.git import branch as current_branch
from pipeline.processes import end_group
from pipeline.repository import stores_root
from pipeline.retraining.exclusive import exclusive
from pipeline.retraining.reachability import wait_for_servers
from pipeline.retraining.request import Failure, Outcome, Request
from pipeline.retraining.worktrees import shared_cache, sweep, throw_away_worktree
from pipeline.versions.registration import unfinished

# What a failed run leaves for whoever must find out why.
KEPT = ("artifacts/rejected", "artifacts/validation.json", "artifacts/evaluation/metrics.json")
# How long servers that are away at the start are waited for, in seconds.
PATIENCE = 60.0


class StoppedError(PipelineError):
    """A signal asked the run to stop: exit code 128 and the signal's number."""

    def __init__(self, number: int) -> None:
        said = "what was not pushed is gone, and what was is finished by the next run"
        super().__init__(f"stopped by {signal.Signals(number).name}: {said}")
        self.exit_code = 128 + number


def run(request: Request, lock_patience: float = 0) -> Outcome:
    """Retrain as requested, on the newest commit of the branch; the checkout here is brought forward after.

    Args:
        request: what to retrain on, and what to run.
        lock_patience: how long to wait while another retrain or publication runs, in seconds.

    Raises:
        BusyError: another retrain or publication is running.
        StoppedError: SIGTERM or SIGINT came.
        PipelineError: it failed and left everything as it was; or the checkout cannot be retrained.
    """
    with stoppable(), exclusive(lock_patience):
        if (request.keep_data or request.data_from is not None or not has_remote()) and (found := changed()):
            raise PipelineError(f"not committed: {', '.join(sorted(found)[:3])}: commit or stash it first")
        if found := changed():
            print(f"not committed and so not part of this run: {', '.join(sorted(found)[:3])}", flush=True)
        wait_for_servers(PATIENCE, request.reads_source)
        finish_interrupted(request.branch)
        commit = newest(request.branch)
        try:
            with throw_away_worktree(commit, shared_cache()) as folder:
                outcome = run_in(folder, request)
        except StoppedError:
            raise
        except PipelineError as error:
            outcome = what_it_had_pushed(request.branch, error)
        if request.data_from is None:
            print(bring_forward(request.branch, outcome), flush=True)
        return outcome


def what_it_had_pushed(branch: str, error: PipelineError) -> Outcome:
    """Finish what a failed run had pushed: from there the way is forward. If it had not, it failed.

    Raises:
        PipelineError: `error`, since nothing was pushed, or a server is away and the next run finishes it.
    """
    try:
        finished = finish_interrupted(branch)
    except StoppedError:
        raise
    except PipelineError:
        raise error from None
    if not finished:
        raise error
    print(f"{error}; it had pushed its commit, and its version was finished", flush=True)
    return finished[-1]


def recover(branch: str, lock_patience: float) -> list[Outcome]:
    """Remove what a killed run left, and finish what it had pushed; return the versions that are whole now.

    Raises:
        BusyError: a retrain or publication is running.
        PipelineError: a server is away; the next retrain tries again.
    """
    with stoppable(), exclusive(lock_patience):
        sweep()
        wait_for_servers(PATIENCE, source=False)
        return finish_interrupted(branch)


def finish_interrupted(branch: str) -> list[Outcome]:
    """Finish the publications that were interrupted after their push, and return what came of each."""
    finished = []
    for name in unfinished():
        if has_remote():
            git("fetch", "--quiet", REMOTE, f"+refs/tags/{name}:refs/tags/{name}")
        with throw_away_worktree(f"{name}^{{commit}}", shared_cache()) as folder:
            finished.append(run_in(folder, Request(branch=branch, finish=name)))
    return finished


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


def run_in(folder: Path, request: Request) -> Outcome:
    """Run the retrain in the worktree, with the worktree's own code, as a process group of its own.

    Raises:
        PipelineError: it failed; the reason was printed, and what tells more is kept.
    """
    result = folder.with_name("outcome.json")
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pipeline.retraining",
            request.model_dump_json(),
            str(result),
            str(os.getpid()),
        ],
        cwd=folder,
        env=environment,
        process_group=0,
    )
    try:
        code = process.wait()
    finally:
        end_group(process)
    if code or not result.exists():
        raise PipelineError(f"the retrain ended with exit code {code}, for the reason above; {keep(folder)}")
    end = TypeAdapter[Outcome | Failure](Outcome | Failure).validate_json(result.read_bytes())
    if isinstance(end, Failure):
        kind = ConfigurationError if end.exit_code == ConfigurationError.exit_code else PipelineError
        by_stage = end.error.startswith(SAID_BY_STAGE)
        raise kind(f"{end.error}; {keep(folder)}" if by_stage else end.error)
    return end


def keep(folder: Path) -> str:
    """Copy what a failed run has to say from its worktree to the repository, and say where it is."""
    found = [folder / path for path in KEPT if (folder / path).exists()]
    place = stores_root() / "failed" / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    try:
        for source in found:
            target = place / source.relative_to(folder / "artifacts")
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copy2(source, target)
    except OSError as error:
        return f"what the run found could not be kept ({of_system(error)})"
    return f"what the run found is kept in {place}" if found else "it left nothing to look at"


def bring_forward(branch: str, outcome: Outcome) -> str:
    """Bring the checkout to the newest commit of its branch, if it has nothing to lose; say what was done."""
    try:
        if current_branch() != branch:
            return f"this checkout is on another branch than {branch} now, and was left alone"
        # Without a remote the commit is the branch's only if it is made so here.
        target = newest(branch) if has_remote() else outcome.commit
        if target is None or is_ancestor(target, git("rev-parse", "HEAD")):
            return "this checkout is up to date"
        if changed():
            return "this checkout has changes of its own and was left alone: 'git pull' and 'dvc checkout'"
        git("merge", "--quiet", "--ff-only", target)
        dvc("checkout", "--quiet")
    except StoppedError:
        raise
    except PipelineError as error:
        return f"this checkout was not brought forward: {error}"
    return "this checkout was brought forward"


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn the first SIGTERM or SIGINT into a `StoppedError`, and ignore more while the run cleans up."""

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        raise StoppedError(number)

    before = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
