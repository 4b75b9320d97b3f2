"""Runs checks in parallel, each for a few seconds at most, and returns their answers."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait

from pipeline.config.errors import ConfigurationError, PipelineError, cause_of

# A check imports MLflow, which imports pyarrow. If a thread that has ended was the first to import pyarrow,
# the process crashes when it reads Parquet.
import pyarrow  # noqa: F401

# How long a check may take, in seconds.
CHECK_TIMEOUT = 8.0

# A check returns a description, or raises a ConfigurationError if waiting does not help, else another error.
Check = Callable[[], str]
# The description or the error of each check, by name.
Answers = dict[str, str | PipelineError]

_pending: dict[Check, "Future[str]"] = {}
_lock = threading.Lock()


def ask(checks: Mapping[str, Check], timeout: float = CHECK_TIMEOUT) -> Answers:
    """Run the checks in parallel, and return what each answers within `timeout` seconds."""
    asked = {name: _in_background(name, check) for name, check in checks.items()}
    wait(asked.values(), timeout=timeout)
    return {name: _answer(future, timeout) for name, future in asked.items()}


def _answer(future: "Future[str]", timeout: float) -> str | PipelineError:
    if not future.done():
        return PipelineError(f"no answer within {timeout:.0f} seconds")
    if (error := future.exception()) is None:
        return future.result()
    return error if isinstance(error, PipelineError) else PipelineError(cause_of(error))


def all_wrong(answers: Answers) -> dict[str, str]:
    """Return the errors of the checks that failed, by name."""
    errors = {name: answer for name, answer in answers.items() if isinstance(answer, PipelineError)}
    # A check changes nothing, so this part of a message is of no use.
    return {name: str(error).removesuffix("; nothing was changed") for name, error in errors.items()}


def refused(answers: Answers) -> ConfigurationError | None:
    """Return the first error that waiting does not solve, or None."""
    return next((answer for answer in answers.values() if isinstance(answer, ConfigurationError)), None)


def _in_background(name: str, check: Check) -> "Future[str]":
    """Run a check in a daemon thread. A check that is still running is not started again."""
    with _lock:
        if (before := _pending.get(check)) is not None and not before.done():
            return before
        future = _pending[check] = Future[str]()

    def run() -> None:
        try:
            future.set_result(check())
        except Exception as error:  # noqa: BLE001 - the future passes it on
            future.set_exception(error)

    threading.Thread(target=run, name=f"check {name}", daemon=True).start()
    return future
