"""One job of the service, as a process of its own: a retrain, or the recovery after a crash."""

import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from operations.console import echo
from operations.git_and_dvc.git import branch
from operations.processes import die_with_parent
from operations.retraining.request import Failure, Outcome, Request
from operations.retraining.transaction import recover, run
from operations.service.job_store import TrainRequest
from pipeline.config.errors import PipelineError, message_and_code
from pipeline.data.atomic import atomic_file

from pydantic import BaseModel

# How long a job waits for a recovery, or for a retrain from a terminal, to end, in seconds;
LOCK_TIMEOUT = 120.0
# and how long, when the disk is full, for a place to say how it ended: nobody else knows.
DISK_FULL_TIMEOUT = 120.0


class Recovered(BaseModel):
    """The versions whose publication was finished, and the commit of each."""

    commits: dict[int, str]


def retrain(order: TrainRequest, on_outcome: Callable[[Outcome], None]) -> Outcome:
    """Do what a job asks for, and pass the outcome on as soon as it stands.

    Raises:
        PipelineError: it failed, and everything is as it was.
    """
    request = Request(branch=branch(), keep_data=order.keep_data, everything=order.all, promote=order.promote)
    return run(request, LOCK_TIMEOUT, on_outcome)


def main() -> None:
    """Take the order (or `recover`), a file for how it ended, and the service's process id."""
    die_with_parent(signal.SIGTERM, int(sys.argv[3]))
    end_with, code = end_writer(Path(sys.argv[2])), 0
    try:
        if sys.argv[1] == "recover":
            finished = {outcome.version: outcome.commit for outcome in recover(branch(), LOCK_TIMEOUT)}
            commits = {version: commit for version, commit in finished.items() if version and commit}
            end_with(Recovered(commits=commits), DISK_FULL_TIMEOUT)
        else:
            outcome = retrain(TrainRequest.model_validate_json(sys.argv[1]), end_with)
            end_with(outcome, DISK_FULL_TIMEOUT)
            echo(outcome.message)
    except (PipelineError, OSError) as error:
        message, code = message_and_code(error)
        end_with(Failure(error=message, exit_code=code), DISK_FULL_TIMEOUT)
        echo(f"pipeline: {message}", sys.stderr)
    sys.exit(code)


def end_writer(result: Path) -> Callable[..., None]:
    """Return a function that writes to a file how the job ended, and tries again for some seconds.

    The first end that it is given stands: a version is published whatever became of the checkout, and
    though the disk was too full to write so.
    """
    ends: list[Outcome | Recovered | Failure] = []

    def end_with(end: Outcome | Recovered | Failure, timeout: float = 0) -> None:
        ends.append(end)
        deadline = time.monotonic() + timeout
        while not result.exists():
            with suppress(OSError), atomic_file(result) as partial:
                partial.write_text(ends[0].model_dump_json(), encoding="utf-8")
            if time.monotonic() >= deadline:
                return
            if not result.exists():
                time.sleep(1)

    return end_with


if __name__ == "__main__":
    main()
