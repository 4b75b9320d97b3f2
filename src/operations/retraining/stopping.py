"""A signal stops a run in order: what it made is removed before it ends."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pipeline.config.errors import PipelineError

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StoppedError(PipelineError):
    """A signal asked the run to stop: exit code 128 and the signal's number."""

    def __init__(self, number: int) -> None:
        said = "what was not pushed is gone, and what was is finished by the next run"
        super().__init__(f"stopped by {signal.Signals(number).name}: {said}")
        self.exit_code = 128 + number


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Hold SIGTERM and SIGINT back for a moment, also from a process that is started meanwhile."""
    caught: list[int] = []
    handlers = {signum: signal.signal(signum, lambda number, _: caught.append(number)) for signum in SIGNALS}
    # A process inherits what this thread blocks; here another thread may still be given the signal.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
        if caught:
            signal.raise_signal(caught[0])


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn the first SIGTERM or SIGINT into a `StoppedError`, and ignore more while the run cleans up."""

    def stop(number: int, _frame: FrameType | None) -> None:
        for signum in SIGNALS:
            signal.signal(signum, signal.SIG_IGN)
        raise StoppedError(number)

    before = {signum: signal.signal(signum, stop) for signum in SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
