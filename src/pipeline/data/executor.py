"""Executors for work over parts: local threads, or the Dask cluster of DASK_SCHEDULER."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.errors import PipelineError

if TYPE_CHECKING:
    from distributed import Client

# How long to wait for the cluster's answer, and then for a worker, in seconds.
ANSWER, WORKER = 5, 30
# One thread does the work of up to this many parts.
FEW = 4


@contextmanager
def part_executor(parts: int) -> Iterator[Executor]:
    """Yield an executor for `parts` independent tasks; its `map` keeps their order.

    The tasks run in threads, since pyarrow and NumPy release the interpreter's lock. Dask workers need this
    folder at the same path, the same code on their PYTHONPATH, and the same packages.

    Raises:
        PipelineError: DASK_SCHEDULER is set, but `distributed` is not installed, no scheduler answers there,
            or a worker there runs other code.
    """
    if scheduler := os.environ.get("DASK_SCHEDULER"):
        with _cluster(scheduler) as executor:
            yield executor
        return
    # Counting the processors takes longer than the work of a few parts.
    with ThreadPoolExecutor(processors() if parts > FEW else 1) as threads:
        yield threads


def processors() -> int:
    """Return how many processors this process may use; a container may have fewer than the machine."""
    import joblib

    return int(joblib.cpu_count())


@contextmanager
def _cluster(scheduler: str) -> Iterator[Executor]:
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise PipelineError("DASK_SCHEDULER is set: install dask's distributed, or unset it") from None
    try:
        client = Client(scheduler, timeout=ANSWER)
    except (OSError, ValueError):
        raise PipelineError("no answer at DASK_SCHEDULER: start the cluster, or unset it") from None
    with client, client.get_executor() as executor:
        if _codes(client) != {code()}:
            raise PipelineError(
                "a worker at DASK_SCHEDULER runs other code than this folder's: start it with PYTHONPATH="
                f"{Path(__file__).parents[2]}, and again after each change of the code"
            )
        try:
            yield executor
        except KilledWorker:
            raise PipelineError(
                "workers at DASK_SCHEDULER died, probably out of memory: give them more, or set a smaller "
                "ingestion.rows_per_part"
            ) from None
        except FileNotFoundError as error:
            raise PipelineError(
                "a worker at DASK_SCHEDULER needs this folder at the same path, and does not see "
                f"{error.filename or error}"
            ) from None


def _codes(client: "Client") -> set[str]:
    try:
        client.wait_for_workers(1, timeout=WORKER)
    except TimeoutError:
        raise PipelineError("the cluster at DASK_SCHEDULER has no worker: start one") from None
    try:
        return set(client.run(code).values())
    except Exception:  # noqa: BLE001 - distributed raises a bare Exception for a worker's ImportError
        return set()


@cache
def code() -> str:
    """Return the hash of the project's code at the first call in this process."""
    files = sorted(Path(__file__).parents[2].rglob("*.py"))
    return hashlib.blake2b(b"".join(path.read_bytes() for path in files)).hexdigest()
