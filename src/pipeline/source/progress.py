"""The progress of a long read: a bar on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

# How often a line is printed: in documents where there is no bar, and in seconds without an answer.
LINE_EVERY, SILENCE = 100_000, 30.0


class Progress:
    """How many documents of `total` (None: not counted yet) were read."""

    def __init__(self, bar: "tqdm[Any]") -> None:
        self._bar, self._done, self.heard = bar, 0, time.monotonic()

    @property
    def total(self) -> int | None:
        """The number of documents to read."""
        return None if self._bar.total is None else int(self._bar.total)

    @total.setter
    def total(self, count: int) -> None:
        self.heard = time.monotonic()
        self._bar.total = count
        self._bar.refresh()

    def advance(self, count: int) -> None:
        """Add a number of documents."""
        self.heard = time.monotonic()
        before, self._done = self._done, self._done + count
        self._bar.update(count)
        if self._bar.disable and self._done // LINE_EVERY > before // LINE_EVERY:
            say_above_bar(f"{self._done:,} of {self.total:,} documents")


@contextmanager
def progress() -> Iterator[Progress]:
    """Yield the progress of a read, and print a line whenever the server has been silent for `SILENCE`."""
    ended = threading.Event()
    with tqdm(total=None, unit=" documents", disable=None, desc="ingestion") as bar:
        read = Progress(bar)

        def watch() -> None:
            while not ended.wait(SILENCE):
                silent = time.monotonic() - read.heard
                if silent >= SILENCE:
                    what = "the count" if read.total is None else "the next documents"
                    say_above_bar(f"waiting for {what} since {silent:.0f} seconds")

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield read
        finally:
            ended.set()
            watcher.join()


def say_above_bar(line: str) -> None:
    """Print one line, above the progress bar if there is one.

    Its prefix must not look like a stage error, which `repro` would report as the reason of a failure.
    """
    tqdm.write(f"MongoDB: {line}", file=sys.stderr)
