"""One at a time: what publishes or moves versions holds a lock of the repository for as long as it runs."""

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
    """Hold the repository's lock, which all of its worktrees share and the kernel releases at death.

    It is waited for as long as `patience` says, in seconds.

    Raises:
        BusyError: another process holds it.
    """
    folder = Path(git("rev-parse", "--path-format=absolute", "--git-common-dir"))
    lock = FileLock(folder / "pipeline.lock")
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        raise BusyError("another retrain or publication is running here: wait for it to end") from None
    try:
        yield
    finally:
        lock.release()
