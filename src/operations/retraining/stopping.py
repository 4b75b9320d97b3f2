"""Stops a run on a signal, after it has removed what it made."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pipeline.config.errors import PipelineError

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StoppedError(PipelineError):
    """A signal asked the run to stop: exit code 128 and the signal's number."""

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        super().__init__(f"stopped by {name}: what was not pushed is gone, the next run finishes the rest")
        self.exit_code = 128 + number


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Defer SIGTERM and SIGINT until the block ends, also for processes that it starts."""
    caught: list[int] = []
    handlers = {signum: signal.signal(signum, lambda number, _: caught.append(number)) for signum in SIGNALS}
    # Child processes inherit the signal mask. In this process, another thread may still get the signal.
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
    """Raise `StoppedError` on the first SIGTERM or SIGINT, and ignore further ones during the cleanup."""

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
