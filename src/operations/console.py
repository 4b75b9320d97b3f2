"""Prints messages of a command. A closed pipe or a full disk must not stop a publication."""

import os
import sys
from contextlib import suppress
from typing import TextIO


def echo(message: str, stream: TextIO | None = None) -> None:
    """Print a line immediately, on stdout unless another stream is given. Write errors are ignored.

    On a full disk, the text stays in the buffer for the next line. On a closed pipe, all later output is
    discarded.
    """
    stream = stream or sys.stdout
    try:
        print(message, file=stream, flush=True)
    except BrokenPipeError:
        _let_go(stream)
    except OSError:
        pass


def echo_result(message: str) -> None:
    """Print the result. A write error does not change the exit code, which states the result too."""
    try:
        print(message, flush=True)
    except OSError:
        _let_go(sys.stdout)


def open_streams() -> None:
    """Open closed standard streams on the null device, so that no opened file gets their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The system gives the lowest free number, which is this one.
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def _let_go(stream: TextIO) -> None:
    # Otherwise Python fails when it flushes at exit, and so do child processes.
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
