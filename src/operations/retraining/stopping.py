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
def held() -> Iterator[None]:
    """Hold SIGTERM and SIGINT back for a moment, also from a process that is started meanwhile."""
    came: list[int] = []
    handlers = {each: signal.signal(each, lambda number, _: came.append(number)) for each in SIGNALS}
    # A process inherits what this thread blocks; here another thread may still be given the signal.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for each, handler in handlers.items():
            signal.signal(each, handler)
        if came:
            signal.raise_signal(came[0])


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn the first SIGTERM or SIGINT into a `StoppedError`, and ignore more while the run cleans up."""

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise StoppedError(number)

    before = {each: signal.signal(each, stop) for each in SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
