"""Waits for servers that are away, before and during a run. A refusal ends the run immediately."""

import time
from collections.abc import Callable
from typing import TypeVar

from operations.console import echo
from operations.readiness.asking import Answers, all_wrong, ask, refused
from operations.readiness.dvc_remote import list_remotes
from operations.readiness.servers import REACHED, RIGHTS
from pipeline.config.errors import PipelineError

# The pause before a server is asked again, in seconds.
PAUSE = 2.0


def unreachable(source: bool = True) -> dict[str, str]:
    """Return why servers do not answer, by name: `mongodb`, `remote` (DVC's), `mlflow` and `git`.

    All are asked in parallel. A server without an answer after 8 seconds counts as away. Without `source`,
    MongoDB is not asked.
    """
    return all_wrong(_reach(source))


def check_remote() -> None:
    """Check that DVC's remotes answer, since DVC itself waits for minutes without a message.

    Raises:
        ConfigurationError: a remote refuses.
        PipelineError: a remote does not answer within 8 seconds.
    """
    answers = ask({"remote": list_remotes})
    if error := refused(answers):
        raise error
    if away := all_wrong(answers):
        raise PipelineError(f"the DVC remote: {away['remote']}; nothing was changed")


def wait_for_servers(seconds: float, source: bool = True) -> None:
    """Wait until every server answers and grants the required rights, and print which one is away.

    Raises:
        PipelineError: a server is still away after that many seconds.
        ConfigurationError: a server refuses, so that waiting does not help.
    """
    left = {name: check for name, check in RIGHTS.items() if source or name != "mongodb"}
    deadline, before = time.monotonic() + seconds, ""
    while True:
        answers = ask(left)
        if refusal := refused(answers):
            raise refusal
        if not (away := all_wrong(answers)):
            return
        # Servers that passed are not asked again.
        left = {name: check for name, check in left.items() if name in away}
        message = "; ".join(f"{name}: {why}" for name, why in away.items())
        if time.monotonic() > deadline:
            raise PipelineError(f"{message}; gave up after {seconds:.0f} seconds")
        if message != before:
            echo(f"waiting for {message} ({seconds:.0f} seconds at most)")
        before = message
        time.sleep(PAUSE)


T = TypeVar("T")


def retrying(step: Callable[[], T], seconds: float, source: bool) -> T:
    """Run a step; if it fails while a server is away, wait for the server and run it once more.

    Raises:
        PipelineError: the step failed for another reason or a second time, or the server stayed away.
    """
    try:
        return step()
    except PipelineError as error:
        answers = _reach(source)
        if not all_wrong(answers) or refused(answers):
            raise
        echo(f"{error}; it will be tried again")
        wait_for_servers(seconds, source)
        return step()


def _reach(source: bool) -> Answers:
    return ask({name: check for name, check in REACHED.items() if source or name != "mongodb"})
