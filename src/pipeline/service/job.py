"""One job of the service, as a process of its own: a retrain, or the recovery after a crash."""

import signal
import sys
from pathlib import Path

from pydantic import BaseModel

from pipeline.errors import PipelineError, of_system
from pipeline.git import branch
from pipeline.processes import die_with_parent
from pipeline.retraining.request import Failure, Outcome, Request
from pipeline.retraining.transaction import recover, run
from pipeline.service.jobs import Order

# How long a job waits for a recovery, or for a retrain from a terminal, to end; in seconds.
PATIENCE = 120.0


class Recovered(BaseModel):
    """The versions whose publication was finished."""

    versions: list[int]


def retrain(order: Order) -> Outcome:
    """Do what a job asks for.

    Raises:
        PipelineError: it failed, and everything is as it was.
    """
    request = Request(branch=branch(), keep_data=order.keep_data, everything=order.all)
    return run(request, PATIENCE)


def main() -> None:
    """Take the order (or `recover`), a file for how it ended, and the service's process id."""
    die_with_parent(signal.SIGTERM, int(sys.argv[3]))
    end: Outcome | Recovered | Failure
    try:
        if sys.argv[1] == "recover":
            end = Recovered(versions=[each.version for each in recover(branch(), PATIENCE) if each.version])
        else:
            end = retrain(Order.model_validate_json(sys.argv[1]))
            print(end.message, flush=True)
    except PipelineError as error:
        print(f"pipeline: {error}", file=sys.stderr)
        end = Failure(error=str(error), exit_code=error.exit_code)
    except OSError as error:
        print(f"pipeline: {of_system(error)}", file=sys.stderr)
        end = Failure(error=of_system(error), exit_code=1)
    Path(sys.argv[2]).write_text(end.model_dump_json(), encoding="utf-8")
    sys.exit(end.exit_code if isinstance(end, Failure) else 0)


if __name__ == "__main__":
    main()
