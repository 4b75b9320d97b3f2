"""Before and during a run: what refuses ends it at once, what is away is waited for."""

import time
from collections.abc import Callable
from typing import TypeVar

from operations.console import echo
from operations.readiness.asking import Answers, all_wrong, ask, refused
from operations.readiness.dvc_remote import list_remotes
from operations.readiness.servers import REACHED, RIGHTS
from pipeline.config.errors import PipelineError

# How often a server that is away is asked again, in seconds.
PAUSE = 2.0


def unreachable(source: bool = True) -> dict[str, str]:
    """Return the servers that do not answer, and why: of `mongodb`, `remote` (DVC's), `mlflow` and `git`.

    All are asked at once; what has not answered after 8 seconds counts as away. Without `source`, MongoDB is
    not asked.
    """
    return all_wrong(_reach(source))


def check_remote() -> None:
    """Ask DVC's remotes alone, which DVC itself would wait for in silence, for minutes.

    Raises:
        ConfigurationError: one refuses.
        PipelineError: one does not answer within 8 seconds.
    """
    answers = ask({"remote": list_remotes})
    if error := refused(answers):
        raise error
    if away := all_wrong(answers):
        raise PipelineError(f"the DVC remote cannot be used: {away['remote']}; nothing was changed")


def wait_for_servers(seconds: float, source: bool = True) -> None:
    """Wait until every server answers and gives the rights that a retrain needs, and say which is waited for.

    Raises:
        PipelineError: one is still away after that many seconds.
        ConfigurationError: waiting would not help.
    """
    left = {name: check for name, check in RIGHTS.items() if source or name != "mongodb"}
    deadline, before = time.monotonic() + seconds, ""
    while True:
        answers = ask(left)
        if refusal := refused(answers):
            raise refusal
        if not (away := all_wrong(answers)):
            return
        # What gave its rights need not be asked for them again.
        left = {name: check for name, check in left.items() if name in away}
        message = "; ".join(f"{name}: {why}" for name, why in away.items())
        if time.monotonic() > deadline:
            raise PipelineError(f"{message}; it was waited for {seconds:.0f} seconds")
        if message != before:
            echo(f"waiting for {message} ({seconds:.0f} seconds at most)")
        before = message
        time.sleep(PAUSE)


T = TypeVar("T")


def retrying(step: Callable[[], T], seconds: float, source: bool) -> T:
    """Do a step; if it fails while a server is away, wait for the server and do it once more.

    Raises:
        PipelineError: it failed for another reason, or again, or the server stayed away.
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
