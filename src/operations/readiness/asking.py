"""Checks that are asked all at once, none for longer than a few seconds, and what each answered."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from importlib import import_module

from pipeline.config.errors import ConfigurationError, PipelineError, cause_of

# How long a check may take, in seconds.
CHECK_TIMEOUT = 8.0

# It returns what it found, or raises a ConfigurationError where waiting would not help, else another error.
Check = Callable[[], str]
Answers = dict[str, "Future[str]"]

_pending: dict[Check, "Future[str]"] = {}
_lock = threading.Lock()


def ask(checks: Mapping[str, Check], timeout: float = CHECK_TIMEOUT) -> Answers:
    """Run the checks side by side, and return by their names what each answered within `patience` seconds."""
    asked = {name: _in_background(name, check) for name, check in checks.items()}
    # It takes seconds to import: a server is given its time from then on.
    import_module("mlflow")
    wait(asked.values(), timeout=timeout)
    return asked


def wrong(answer: "Future[str]", timeout: float = CHECK_TIMEOUT) -> str | None:
    """Return in one line what a check found wrong in the time that it was given; None if nothing."""
    if not answer.done():
        return f"no answer within {timeout:.0f} seconds"
    error = answer.exception()
    if error is None:
        return None
    message = str(error) if isinstance(error, PipelineError) else cause_of(error)
    # It was asked only: nothing would have been changed.
    return message.removesuffix("; nothing was changed")


def all_wrong(answers: Answers) -> dict[str, str]:
    """Return what is wrong, by the names of the checks."""
    return {name: message for name, answer in answers.items() if (message := wrong(answer))}


def refused(answers: Answers) -> ConfigurationError | None:
    """Return why waiting would not help, if it would not."""
    errors = (answer.exception() for answer in answers.values() if answer.done())
    return next((error for error in errors if isinstance(error, ConfigurationError)), None)


def _in_background(name: str, check: Check) -> "Future[str]":
    """Run a check in a thread that holds up no exit; one that still waits is not started twice."""
    with _lock:
        if (before := _pending.get(check)) is not None and not before.done():
            return before
        future = _pending[check] = Future[str]()

    def run() -> None:
        try:
            future.set_result(check())
        except Exception as error:  # noqa: BLE001 - it is what the check answers
            future.set_exception(error)

    threading.Thread(target=run, name=f"check {name}", daemon=True).start()
    return future
