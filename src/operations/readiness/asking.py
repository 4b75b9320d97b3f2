"""Runs checks in parallel, each for a few seconds at most, and returns their answers."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait

from pipeline.config.errors import ConfigurationError, PipelineError, cause_of

# How long a check may take, in seconds.
CHECK_TIMEOUT = 8.0

# A check returns a description, or raises a ConfigurationError if waiting does not help, else another error.
Check = Callable[[], str]
Answers = dict[str, "Future[str]"]

_pending: dict[Check, "Future[str]"] = {}
_lock = threading.Lock()


def ask(checks: Mapping[str, Check], timeout: float = CHECK_TIMEOUT) -> Answers:
    """Run the checks in parallel, wait up to `timeout` seconds, and return their futures by name."""
    asked = {name: _in_background(name, check) for name, check in checks.items()}
    wait(asked.values(), timeout=timeout)
    return asked


def wrong(answer: "Future[str]", timeout: float = CHECK_TIMEOUT) -> str | None:
    """Return the error of a check in one line, or that it did not answer in time; None if it succeeded."""
    if not answer.done():
        return f"no answer within {timeout:.0f} seconds"
    error = answer.exception()
    if error is None:
        return None
    message = str(error) if isinstance(error, PipelineError) else cause_of(error)
    # A check changes nothing, so this part of the message is of no use.
    return message.removesuffix("; nothing was changed")


def all_wrong(answers: Answers) -> dict[str, str]:
    """Return the errors of the checks that failed, by name."""
    return {name: message for name, answer in answers.items() if (message := wrong(answer))}


def refused(answers: Answers) -> ConfigurationError | None:
    """Return the first error that waiting does not solve, or None."""
    errors = (answer.exception() for answer in answers.values() if answer.done())
    return next((error for error in errors if isinstance(error, ConfigurationError)), None)


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
