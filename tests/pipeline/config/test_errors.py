"""The text of errors of libraries."""

import sqlite3

from pipeline.config.errors import cause_of

import pytest


def raised(
    error: ValueError, cause: BaseException | None = None, context: ImportError | None = None
) -> Exception:
    """Return an error that is raised from a cause, or while another is handled."""
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
    ("error", "message"),
    [
        (
            raised(ValueError("s3cret"), ConnectionRefusedError(111, "Connection refused")),
            "Connection refused",
        ),
        (raised(ValueError("s3cret"), TimeoutError("timed out")), "no answer in time"),
        (raised(ValueError("s3cret"), sqlite3.OperationalError("disk is full")), "disk is full"),
        (raised(ValueError("s3cret"), KeyError("s3cret")), "ValueError"),
        # An earlier error that the library handled is not the cause.
        (raised(ValueError("s3cret"), None, ModuleNotFoundError("No module named 'x'")), "ValueError"),
    ],
)
def test_root_cause_is_named(error: ValueError, message: str) -> None:
    assert cause_of(error) == message


def test_circular_causes_end() -> None:
    one, two = ValueError(), OSError(28, "No space left on device")
    one.__cause__, two.__cause__ = two, one

    assert cause_of(one) == "No space left on device"
