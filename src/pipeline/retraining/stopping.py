"""A signal stops a run in order: what it made is removed before it ends."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pipeline.errors import PipelineError


class StoppedError(PipelineError):
    """A signal asked the run to stop: exit code 128 and the signal's number."""

    def __init__(self, number: int) -> None:
        said = "what was not pushed is gone, and what was is finished by the next run"
        super().__init__(f"stopped by {signal.Signals(number).name}: {said}")
        self.exit_code = 128 + number


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
