"""What a person did wrong, said in one line, and the exit code that goes with it."""

import sys
from collections.abc import Callable


class PipelineError(Exception):
    """The run failed and left things as they were: exit code 1.

    The message is one line: what is wrong, where, and what to do. It never holds a secret.
    """

    exit_code = 1


class ConfigurationError(PipelineError):
    """Wrong usage or configuration, found before anything ran: exit code 2."""

    exit_code = 2


def of_system(error: OSError) -> str:
    """Say in one line what the operating system refused: a full disk, a file that may not be read."""
    where = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or type(error).__name__}{where}"


def run_stage(name: str, main: Callable[[], None]) -> None:
    """Run a stage's `main` and turn a `PipelineError`, or a full disk and the like, into one line on stderr.

    Raises:
        SystemExit: with the error's exit code; 130 when interrupted from the keyboard.
    """
    try:
        main()
    except PipelineError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        print(f"{name}: {of_system(error)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(130)
