"""The process of one job of the service: a retrain, or the recovery after a crash."""

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

# How long a job waits for a recovery, or a retrain from a terminal, to end, in seconds.
LOCK_TIMEOUT = 120.0
# How long a job tries to write its result to a full disk, in seconds: only the job knows its result.
DISK_FULL_TIMEOUT = 120.0


class Recovered(BaseModel):
    """The commit of each version whose publication the recovery finished."""

    commits: dict[int, str]


def main() -> None:
    """Run the job. The arguments are the request (or `recover`), a file for the result, the service's id."""
    die_with_parent(signal.SIGTERM, int(sys.argv[3]))
    end_with, code = end_writer(Path(sys.argv[2])), 0
    try:
        if sys.argv[1] == "recover":
            finished = {outcome.version: outcome.commit for outcome in recover(branch(), LOCK_TIMEOUT)}
            commits = {version: commit for version, commit in finished.items() if version and commit}
            end_with(Recovered(commits=commits), DISK_FULL_TIMEOUT)
        else:
            order = TrainRequest.model_validate_json(sys.argv[1])
            request = Request(
                branch=branch(), keep_data=order.keep_data, everything=order.all, promote=order.promote
            )
            outcome = run(request, LOCK_TIMEOUT, end_with)
            end_with(outcome, DISK_FULL_TIMEOUT)
            echo(outcome.message)
    except (PipelineError, OSError) as error:
        message, code = message_and_code(error)
        end_with(Failure(error=message, exit_code=code), DISK_FULL_TIMEOUT)
        echo(f"pipeline: {message}", sys.stderr)
    sys.exit(code)


def end_writer(result: Path) -> Callable[..., None]:
    """Return a function that writes the job's result to a file, and tries again until its timeout.

    The first result is final: if a version was published, a later error of the checkout does not change that,
    even if the full disk prevented the first write.
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
