"""What a command says on its way: nobody who reads, or a full disk behind the log, stops no publication."""

import os
import sys
from contextlib import suppress
from typing import TextIO


def echo(message: str, stream: TextIO | None = None) -> None:
    """Print a line at once, on stdout unless another stream is given, if it can be.

    What a full disk does not take is kept for the next line; whoever stopped reading is told nothing more.
    """
    stream = stream or sys.stdout
    try:
        print(message, file=stream, flush=True)
    except BrokenPipeError:
        _let_go(stream)
    except OSError:
        pass


def echo_result(message: str) -> None:
    """Say how it ended. The exit code says so, too: it is the same whether or not somebody reads this."""
    try:
        print(message, flush=True)
    except OSError:
        _let_go(sys.stdout)


def open_streams() -> None:
    """Let stdin, stdout and stderr lead nowhere where they were closed: a file would get their place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is given, and those below it are taken.
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def _let_go(stream: TextIO) -> None:
    # Else Python would try again at its end, and fail for it; and so would what this process starts.
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
