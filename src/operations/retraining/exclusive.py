"""The repository's lock: a command that publishes or changes versions holds it while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from operations.git_and_dvc.git import git
from pipeline.config.errors import PipelineError

from filelock import FileLock, Timeout


class BusyError(PipelineError):
    """Another retrain or publication is running on this repository: exit code 75 (EX_TEMPFAIL)."""

    exit_code = 75


@contextmanager
def exclusive(timeout: float = 0) -> Iterator[None]:
    """Hold the repository's lock. All worktrees share it, and the kernel releases it if the process dies.

    Raises:
        BusyError: another process holds it for longer than `timeout`, in seconds.
    """
    folder = Path(git("rev-parse", "--path-format=absolute", "--git-common-dir"))
    busy = "another retrain or publication is running here: wait for it to end"
    with locked(folder / "pipeline.lock", busy, timeout):
        yield


@contextmanager
def locked(path: Path, busy: str, timeout: float = 0) -> Iterator[None]:
    """Hold a lock file.

    Raises:
        BusyError: another process holds it for longer than `timeout`, in seconds; `busy` is the message.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        raise BusyError(busy) from None
    try:
        yield
    finally:
        lock.release()
