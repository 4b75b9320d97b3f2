"""The retrain process in its throw-away worktree, with the code of the worktree's commit."""

import gc
import os
import signal
import sys

from operations.processes import die_with_parent
from operations.retraining.request import Failure, Outcome, Request
from operations.retraining.steps import retrain
from pipeline.config.errors import PipelineError, message_and_code


def main() -> None:
    """Run the request in the first argument, and write the result to the file descriptor in the second.

    The third argument is the parent's process id: this process dies with its parent.
    """
    die_with_parent(signal.SIGKILL, int(sys.argv[3]))
    end: Outcome | Failure
    try:
        end = retrain(Request.model_validate_json(sys.argv[1]))
    except (PipelineError, OSError) as error:
        message, code = message_and_code(error)
        end = Failure(error=message, exit_code=code)
    with os.fdopen(int(sys.argv[2]), "w", encoding="utf-8") as ended:
        ended.write(end.model_dump_json())
    # As in `run_main`: a garbage collection at the end of the process would only take time.
    gc.freeze()


if __name__ == "__main__":
    main()
