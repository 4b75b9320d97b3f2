"""DVC that ends on a full disk; as a program, the command `dvc`.

DVC's databases use diskcache 5.6, which repeats the begin of a transaction after any error of SQLite. On a
full disk it would repeat it forever.
"""

import sqlite3
import sys
from collections.abc import Callable
from typing import Any

import diskcache

# The errors that a repetition does not solve: no space for the database, or for its shared memory.
FATAL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}

_sql: Any = diskcache.Cache._sql


def _execute(cache: Any) -> Callable[..., Any]:
    execute = _sql.fget(cache)

    def run(*words: Any, **options: Any) -> Any:
        try:
            return execute(*words, **options)
        except sqlite3.OperationalError as error:
            # The low byte of an extended code is the primary code. diskcache repeats on an OperationalError.
            if error.sqlite_errorcode & 0xFF in FATAL:
                raise sqlite3.DatabaseError(
                    f"the disk of {cache.directory} is full, or fails: {error}"
                ) from error
            raise

    return run


def end_on_full_disk() -> None:
    """Let the databases of DVC in this process raise a DatabaseError on a full disk."""
    diskcache.Cache._sql = property(_execute)


if __name__ == "__main__":
    end_on_full_disk()
    from dvc.cli import main

    sys.exit(main(sys.argv[1:]))
