"""Runs DVC as a separate process, for commands that a signal may stop or whose output is passed on."""

import os
import subprocess
import sys
from pathlib import Path

from operations.console import echo
from pipeline.config.errors import PipelineError
from pipeline.config.stages import STAGES

# The line in which a stage reports its error begins with one of these.
STAGE_PREFIXES = tuple(f"{stage}: " for stage in STAGES)
DVC = (sys.executable, "-m", "operations.git_and_dvc.full_disk")


def dvc(*words: str) -> str:
    """Run DVC in the current folder and return what it printed.

    Raises:
        PipelineError: it failed; the message is DVC's first error.
    """
    done = subprocess.run(
        [*DVC, *words],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=_environment(),
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        lines = lines or [f"exit code {done.returncode}"]
        error = next((line for line in lines if line.startswith("ERROR: ")), lines[0])
        raise PipelineError(f"dvc {' '.join(words)}: {error.removeprefix('ERROR: ').rstrip(':')}")
    return done.stdout


def repro(*words: str) -> None:
    """Run `dvc repro` in the current folder, and pass the output of DVC and the stages on.

    Raises:
        PipelineError: a stage failed; the message is the stage's error.
    """
    with subprocess.Popen(
        [*DVC, "repro", *words],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=_environment(),
    ) as process:
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        reason = "a stage failed, for the reason above"
        for line in process.stderr:
            echo(line.rstrip("\n"), sys.stderr)
            if line.startswith(STAGE_PREFIXES):
                reason = line.strip()
            elif line.startswith("ERROR: ") and not reason.startswith(STAGE_PREFIXES):
                reason = line.removeprefix("ERROR: ").strip()
    if process.returncode:
        raise PipelineError(f"{reason.rstrip('.')}; nothing was published")


def _environment() -> dict[str, str]:
    # dvc.yaml calls `python`: PATH leads to this interpreter, even if its environment is not activated.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | {"PATH": path}
