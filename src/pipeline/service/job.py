"""One job of the service, as a process of its own: a retrain, or the recovery after a crash."""

import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel

from pipeline.errors import PipelineError, message_and_code
from pipeline.git import branch
from pipeline.outputs import whole
from pipeline.processes import die_with_parent
from pipeline.retraining.request import Failure, Outcome, Request
from pipeline.retraining.transaction import recover, run
from pipeline.service.jobs import Order

# How long a job waits for a recovery, or for a retrain from a terminal, to end; and for a place to say how it
# ended itself; in seconds.
PATIENCE = 120.0


class Recovered(BaseModel):
    """The versions whose publication was finished."""

    versions: list[int]


def retrain(order: Order, tell: Callable[[Outcome], None]) -> Outcome:
    """Do what a job asks for, and `tell` the outcome as soon as it stands.

    Raises:
        PipelineError: it failed, and everything is as it was.
    """
    request = Request(branch=branch(), keep_data=order.keep_data, everything=order.all)
    return run(request, PATIENCE, tell)


def main() -> None:
    """Take the order (or `recover`), a file for how it ended, and the service's process id."""
    die_with_parent(signal.SIGTERM, int(sys.argv[3]))
    result = Path(sys.argv[2])

    def tell(end: Outcome | Recovered | Failure) -> None:
        # What was told of a version stands, whatever became of the checkout.
        if not result.exists():
            with suppress(OSError), whole(result) as partial:
                partial.write_text(end.model_dump_json(), encoding="utf-8")

    def tell_at_last(end: Outcome | Recovered | Failure) -> None:
        # A disk may be full for a while: nobody else knows how it ended.
        deadline = time.monotonic() + PATIENCE
        tell(end)
        while not result.exists() and time.monotonic() < deadline:
            time.sleep(1)
            tell(end)

    try:
        if sys.argv[1] == "recover":
            tell_at_last(
                Recovered(versions=[each.version for each in recover(branch(), PATIENCE) if each.version])
            )
        else:
            outcome = retrain(Order.model_validate_json(sys.argv[1]), tell)
            tell_at_last(outcome)
            print(outcome.message, flush=True)
    except (PipelineError, OSError) as error:
        message, code = message_and_code(error)
        print(f"pipeline: {message}", file=sys.stderr)
        tell_at_last(Failure(error=message, exit_code=code))
        sys.exit(code)


if __name__ == "__main__":
    main()
