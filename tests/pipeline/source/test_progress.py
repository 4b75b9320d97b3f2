"""The progress of a long read without a terminal: a few lines on stderr."""

from pipeline.source.progress import progress

import pytest


def test_long_read_prints_progress(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with progress() as read:
        read.total = 330_000
        for _ in range(11):
            read.advance(30_000)

    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "MongoDB: 120,000 of 330,000 documents",
        "MongoDB: 210,000 of 330,000 documents",
        "MongoDB: 300,000 of 330,000 documents",
    ]


def test_short_read_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with progress() as read:
        read.total = 6_000
        read.advance(6_000)

    assert capfd.readouterr() == ("", "")
