"""Gets the answers of a logged model from a new process (`served_process.py`), which may start early."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROCESS = Path(__file__).with_name("served_process.py")
# The time limit of all answers in seconds.
TIMEOUT = 600
# The body of each request, by the name of its rows in a reason.
Requests = dict[str, str]
# The process that waits for a model, if there is one.
_started: list["subprocess.Popen[str]"] = []


@contextmanager
def started_early() -> Iterator[None]:
    """Start the process that serves a model: within the block, it imports MLflow while other steps run."""
    _started.append(_start())
    try:
        yield
    finally:
        for process in _started:
            with process:
                process.kill()
        _started.clear()


def answers_of(path: Path, requests: Requests) -> dict[str, Any] | str:
    """Return the answers of a logged model in a new process, or the error as text."""
    with _started.pop() if _started else _start() as process:
        try:
            output, _ = process.communicate(json.dumps({"model": str(path), "requests": requests}), TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            return f"does not answer within {TIMEOUT} seconds"
    if process.returncode:
        return f"ends its process with exit code {process.returncode}"
    answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    return str(answer["error"]) if "error" in answer else answer


def _start() -> "subprocess.Popen[str]":
    # It ends when its input closes, also if this process is killed.
    return subprocess.Popen(
        [sys.executable, "-I", str(PROCESS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # One thread, as in the comparison: more are slower for a few rows.
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
