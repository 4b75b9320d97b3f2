"""Reads an iterable ahead in a thread, so that reading, decoding and writing overlap."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def ahead(source: Iterable[T], items: int = 2) -> Iterator[Iterator[T]]:
    """Yield an iterator over `source`, of which a thread reads up to `items` items ahead.

    An error of the source is raised where its item would be. At the end of the block the thread stops before
    the next item. If it still waits for one a second later, it is left behind: a server that hangs does not
    delay the end of the process.
    """
    ready: Queue[tuple[list[T], BaseException | None]] = Queue(items)
    stopped = threading.Event()

    def read() -> None:
        try:
            for item in source:
                ready.put(([item], None))
                if stopped.is_set():
                    return
            ready.put(([], None))
        except BaseException as error:  # noqa: BLE001 - it is raised in the other thread
            ready.put(([], error))

    def received() -> Iterator[T]:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if not item:
                return
            yield from item

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield received()
    finally:
        stopped.set()
        with suppress(Empty):
            while True:
                ready.get_nowait()
        thread.join(1)
        with suppress(Full):
            ready.put_nowait(([], None))  # for a thread that still waits for an item
