"""A retrain as a transaction: one at a time, in a throw-away worktree, published completely or not at all."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from operations.console import echo
from operations.git_and_dvc.dvc_process import STAGE_PREFIXES
from operations.git_and_dvc.git import changed, check_identity, git, overlooked
from operations.git_and_dvc.remote_settings import check_remotes
from operations.git_and_dvc.worktrees import shared_cache, site_cache_of, sweep, throw_away_worktree
from operations.processes import end_group
from operations.readiness.waiting import wait_for_servers
from operations.readiness.workspace import room
from operations.retraining.checkout import bring_forward, catch_up, newest
from operations.retraining.exclusive import exclusive
from operations.retraining.failed_files import keep
from operations.retraining.request import Failure, Outcome, Request
from operations.retraining.stopping import StoppedError, stoppable
from operations.versions.registration import unfinished
from operations.versions.sharing import unshared
from operations.versions.tags import fetch_tag
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.tracking.lineage import LOCK

from pydantic import TypeAdapter

# The paths that a run takes from its commit, never from this checkout.
RECIPE = ("src/", "data/", "params.yaml", "dvc.yaml", "requirements.lock", "requirements-boosters.lock")
# How long to wait for servers that are away at the start, in seconds.
SERVER_TIMEOUT = 60.0


def run(
    request: Request, lock_timeout: float = 0, on_outcome: Callable[[Outcome], None] = lambda _: None
) -> Outcome:
    """Retrain as requested, on the newest commit of the branch, then bring the checkout here forward.

    Args:
        request: the data and the stages of the retrain.
        lock_timeout: how long to wait while another retrain or publication runs, in seconds.
        on_outcome: called with the outcome as soon as it is final, before the checkout is brought forward.

    Raises:
        BusyError: another retrain or publication is running.
        StoppedError: SIGTERM or SIGINT came.
        PipelineError: the retrain failed and changed nothing, or the checkout is not ready for one.
    """
    with stoppable(), exclusive(lock_timeout):
        check_identity()
        check_remotes()
        room()
        other = check_committed(request)
        wait_for_servers(SERVER_TIMEOUT, request.reads_source)
        if other and unshared():
            # A local commit exists only in this clone, and the changes prevent bringing the checkout forward.
            raise PipelineError(f"not committed: {other}: commit or stash it first")
        if other:
            echo(f"not committed and so not part of this run: {other}")
        _, given_up = finish_interrupted(request.branch)
        commit, outcome = newest(request.branch), None
        with throw_away_worktree(commit, shared_cache()) as folder:
            try:
                outcome = run_in(folder, request)
                on_outcome(outcome)
            except StoppedError:
                raise
            except PipelineError as error:
                failure = error
            made = git("-C", str(folder), "rev-parse", "HEAD", check=False)
        if outcome is None:
            outcome = finish_pushed(request.branch, failure, made, given_up)
            on_outcome(outcome)
        if request.data_from is None:
            echo(bring_forward(request.branch, made))
        return outcome


def check_committed(request: Request) -> str:
    """Refuse uncommitted changes that the run would need, and return up to three other changed paths.

    Raises:
        PipelineError: code, parameters, the pipeline or a needed lock is not committed.
    """
    paths = sorted({*changed(), *overlooked()})
    used = RECIPE if request.reads_source else (*RECIPE, LOCK.name)
    if mine := [path for path in paths if path.startswith(used)]:
        raise PipelineError(f"not committed: {', '.join(mine[:3])}: commit or stash it first")
    return ", ".join(paths[:3])


def finish_pushed(branch: str, error: PipelineError, made: str, given_up: list[str]) -> Outcome:
    """Finish the publication of a failed run if it had pushed its commit; otherwise raise its error.

    Only a version of the commit that the run `made` is its own, since others publish at the same time. The
    tags `given_up` before the run are excluded: the run may have started from the commit of one of them.

    Raises:
        PipelineError: `error`, since nothing was pushed, or a server is away and the next run finishes it.
    """
    try:
        finished, _ = finish_interrupted(branch, made, given_up)
    except StoppedError:
        raise
    except PipelineError:
        raise error from None
    if not finished:
        raise error
    echo(f"{error}; it had pushed its commit, and its version was finished")
    return finished[-1]


def recover(branch: str, lock_timeout: float) -> list[Outcome]:
    """Remove what a killed run left, finish what it had pushed, and return the versions finished.

    Raises:
        BusyError: a retrain or publication is running.
        PipelineError: a server is away; the next retrain tries again.
    """
    with stoppable(), exclusive(lock_timeout):
        sweep()
        wait_for_servers(SERVER_TIMEOUT, source=False)
        finished, _ = finish_interrupted(branch)
        # A failure here must not hide the finished versions; the next run tries again.
        with suppress(PipelineError):
            catch_up()
        return finished


def finish_interrupted(
    branch: str, commit: str | None = None, without: Sequence[str] = ()
) -> tuple[list[Outcome], list[str]]:
    """Finish the publications that were interrupted after their push: all, or only that of a `commit`.

    The tags `without` are left out. Returns the outcomes, and the tags that could not be finished. Such a
    failure, for example lost data, must not stop new retrains: it is printed, and the next run tries again.

    Raises:
        PipelineError: MLflow is not the one that they were published with, or a server is away.
    """
    finished, given_up = [], []
    shared = unshared() is None
    for name in unfinished():
        if name in without:
            continue
        try:
            if shared:
                fetch_tag(name)
            tag_commit = git("rev-parse", "--verify", f"refs/tags/{name}^{{commit}}")
            if commit is not None and tag_commit != commit:
                continue
            with throw_away_worktree(tag_commit, shared_cache()) as folder:
                finished.append(run_in(folder, Request(branch=branch, finish=name)))
        except StoppedError:
            raise
        except PipelineError as error:
            echo(f"pipeline: {name} could not be finished: {error}", sys.stderr)
            given_up.append(name)
    return finished, given_up


def run_in(folder: Path, request: Request) -> Outcome:
    """Run the retrain in the worktree, with the worktree's code, in a new process group.

    Raises:
        PipelineError: it failed; the reason was printed, and the files that explain it are kept.
    """
    environment = os.environ | {
        "PYTHONPATH": str(folder / "src"),
        "DVC_SITE_CACHE_DIR": site_cache_of(folder),
    }
    # The result comes through a pipe, which works on a full disk too.
    read, write = os.pipe()
    with os.fdopen(read, "rb") as ended:
        try:
            words = ["-m", "operations.retraining", request.model_dump_json(), str(write), str(os.getpid())]
            process = subprocess.Popen(
                [sys.executable, *words], cwd=folder, env=environment, process_group=0, pass_fds=(write,)
            )
        finally:
            os.close(write)
        try:
            code = process.wait()
        finally:
            end_group(process)
        content = ended.read()
    if code or not content:
        raise PipelineError(f"the retrain ended with exit code {code}, for the reason above")
    end = TypeAdapter[Outcome | Failure](Outcome | Failure).validate_json(content)
    if isinstance(end, Failure):
        kind = ConfigurationError if end.exit_code == ConfigurationError.exit_code else PipelineError
        by_stage = end.error.startswith(STAGE_PREFIXES)
        raise kind(keep(folder, end.error) if by_stage else end.error)
    return end
