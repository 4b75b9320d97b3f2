"""The process of one job of the service: a retrain, or the recovery after a crash."""

import signal
import sys
import time
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


End = Outcome | Recovered | Failure


def main() -> None:
    """Run the job. The arguments are the request (or `recover`), a file for the result, the service's id."""
    die_with_parent(signal.SIGTERM, int(sys.argv[3]))
    result, code = Path(sys.argv[2]), 0
    ends: list[End] = []

    def on_outcome(outcome: Outcome) -> None:
        ends.append(outcome)
        write_end(result, outcome)

    try:
        if sys.argv[1] == "recover":
            finished = {outcome.version: outcome.commit for outcome in recover(branch(), LOCK_TIMEOUT)}
            commits = {version: commit for version, commit in finished.items() if version and commit}
            ends.append(Recovered(commits=commits))
        else:
            order = TrainRequest.model_validate_json(sys.argv[1])
            request = Request(
                branch=branch(), keep_data=order.keep_data, everything=order.all, promote=order.promote
            )
            echo(run(request, LOCK_TIMEOUT, on_outcome).message)
    except (PipelineError, OSError) as error:
        message, code = message_and_code(error)
        ends.append(Failure(error=message, exit_code=code))
        echo(f"pipeline: {message}", sys.stderr)
    # The first result is final: a later error of the checkout does not change that a version was published.
    write_end(result, ends[0], DISK_FULL_TIMEOUT)
    sys.exit(code)


def write_end(result: Path, end: End, timeout: float = 0) -> None:
    """Write the job's result to a file, and try again on a full disk until the timeout."""
    deadline = time.monotonic() + timeout
    while True:
        with suppress(OSError), atomic_file(result) as partial:
            partial.write_text(end.model_dump_json(), encoding="utf-8")
        if result.exists() or time.monotonic() >= deadline:
            return
        time.sleep(1)


if __name__ == "__main__":
    main()
