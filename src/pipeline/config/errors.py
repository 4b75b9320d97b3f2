"""Errors with a message in one line and an exit code."""

import gc
import os
import re
import sqlite3
import sys
from collections.abc import Callable


class PipelineError(Exception):
    """The run failed and changed nothing: exit code 1.

    The message is one line: what is wrong, where, and what to do. It never holds a secret.
    """

    exit_code = 1


class ConfigurationError(PipelineError):
    """Wrong usage or configuration: exit code 2."""

    exit_code = 2


def message_and_code(error: PipelineError | OSError) -> tuple[str, int]:
    """Return an error's message in one line, also for a full disk or a missing right, and its exit code."""
    if isinstance(error, PipelineError):
        return str(error), error.exit_code
    where = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or type(error).__name__}{where}", 1


def cause_of(error: BaseException) -> str:
    """Return the root cause of a library's error, as text without secrets.

    A library's message may quote a URI with its password; messages of the system and of SQLite do not.
    """
    first, seen = error, {id(error)}
    while deeper := first.__cause__ or (None if first.__suppress_context__ else first.__context__):
        if id(deeper) in seen:
            break
        first = deeper
        seen.add(id(first))
    if isinstance(first, TimeoutError):
        return "no answer in time"
    # asyncio puts addresses in place of the system's message.
    if connecting := re.search(r"\[Errno (\d+)\] Connect call failed", str(first)):
        return os.strerror(int(connecting[1]))
    if isinstance(first, OSError) and first.strerror:
        return first.strerror
    if isinstance(first, ModuleNotFoundError | sqlite3.Error):
        return str(first)
    code = getattr(error, "error_code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__


def run_main(name: str, main: Callable[[], None]) -> None:
    """Run a `main`, and print a `PipelineError` or an `OSError`, such as a full disk, as one line on stderr.

    Raises:
        SystemExit: with the error's exit code; 130 when interrupted from the keyboard.
    """
    try:
        main()
    except (PipelineError, OSError) as error:
        message, code = message_and_code(error)
        print(f"{name}: {message}", file=sys.stderr)
        sys.exit(code)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(130)
    finally:
        # Skip the garbage collection at the end of the process, which takes up to a second.
        gc.freeze()
