"""The report of `pipeline check`: a line for each check, with its answer or how to fix the problem."""

import os
import subprocess
import sys
from collections.abc import Iterator

from operations.readiness.asking import Check, ask, wrong
from operations.readiness.collection import schema
from operations.readiness.servers import RIGHTS
from operations.readiness.workspace import dvc, identity, packages
from pipeline.config.errors import ConfigurationError
from pipeline.data.executor import part_executor


def parameters() -> str:
    """Check params.yaml in a separate process, which imports scikit-learn while other checks run.

    Raises:
        ConfigurationError: a stage would refuse its section.
    """
    words = [sys.executable, "-m", "operations.readiness.parameters"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        message = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ConfigurationError(message.removeprefix("parameters: "))
    return done.stdout.strip()


def workers() -> str:
    """Connect to the cluster of DASK_SCHEDULER, if it is set, and check that its workers have our code."""
    with part_executor(1):
        return "DASK_SCHEDULER" if os.environ.get("DASK_SCHEDULER") else "threads of this process"


# How long a check may take, in seconds. On an idle machine, all of them take five.
REPORT_TIMEOUT = 20.0

# All checks, in the order of the report.
CHECKS: dict[str, Check] = {
    "parameters": parameters,
    "packages": packages,
    "identity": identity,
    "dvc": dvc,
    "workers": workers,
    **RIGHTS,
    "schema": schema,
}


def report() -> Iterator[tuple[bool, str]]:
    """Yield for each check whether it passed, and its line."""
    for name, answer in ask(CHECKS, REPORT_TIMEOUT).items():
        why = wrong(answer, REPORT_TIMEOUT)
        yield why is None, f"{'ok' if why is None else 'wrong':<6}{name:<12}{why or answer.result()}"
