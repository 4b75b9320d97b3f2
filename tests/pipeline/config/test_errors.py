"""What is said of the errors of libraries."""

import sqlite3

from pipeline.config.errors import cause_of

import pytest


def raised(
    error: ValueError, cause: BaseException | None = None, context: ImportError | None = None
) -> Exception:
    """Raise an error as a library does, from a cause or while another is handled, and return it."""
    try:
        try:
            if context:
                raise context
        except ImportError:
            raise error from cause
        raise error from cause
    except ValueError as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            raised(ValueError("s3cret"), ConnectionRefusedError(111, "Connection refused")),
            "Connection refused",
        ),
        (raised(ValueError("s3cret"), TimeoutError("timed out")), "no answer in time"),
        (raised(ValueError("s3cret"), sqlite3.OperationalError("disk is full")), "disk is full"),
        (raised(ValueError("s3cret"), KeyError("s3cret")), "ValueError"),
        # What a library did not find first, and did without, is not why it failed.
        (raised(ValueError("s3cret"), None, ModuleNotFoundError("No module named 'x'")), "ValueError"),
    ],
)
def test_root_cause_is_named(error: ValueError, said: str) -> None:
    assert cause_of(error) == said


def test_circular_causes_end() -> None:
    one, two = ValueError(), OSError(28, "No space left on device")
    one.__cause__, two.__cause__ = two, one

    assert cause_of(one) == "No space left on device"
