"""Reading ahead in a thread: the order, the bound, errors, and an early end."""

import threading
import time
from collections.abc import Iterator

from pipeline.source.ahead import ahead

import pytest


def test_the_items_arrive_in_order_and_are_bounded() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            yield number

    with ahead(source(), 2) as items:
        for number in items:
            assert len(made) <= number + 4  # one is here, two wait, one is on its way
            time.sleep(0.001)
    assert made == list(range(50))


def test_an_error_follows_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("at 2")

    with ahead(source()) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="at 2"):
            next(items)


def test_an_early_end_stops_the_threads() -> None:
    before = threading.active_count()

    with ahead(iter(range(10**9))) as numbers, ahead(map(str, numbers)) as texts:
        assert next(texts) == "0"

    assert threading.active_count() == before


def test_a_source_that_hangs_is_left_behind() -> None:
    hung = threading.Event()
    try:
        with ahead(iter(hung.wait, None)):
            pass
    finally:
        hung.set()
