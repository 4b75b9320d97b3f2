"""The progress of a long read: a bar on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

LINE_EVERY = 100_000


@contextmanager
def progress(total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that adds a number of documents to the progress."""
    with tqdm(total=total, unit=" documents", disable=None, desc="ingestion") as bar:
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            bar.update(count)
            if bar.disable and (done + count) // LINE_EVERY > done // LINE_EVERY:
                say_above_bar(f"{done + count:,} of {total:,} documents")
            done += count

        yield advance


def say_above_bar(line: str) -> None:
    """Print one line, above the progress bar if there is one.

    Its prefix must not look like a stage error, which `repro` would report as the reason of a failure.
    """
    tqdm.write(f"MongoDB: {line}", file=sys.stderr)
