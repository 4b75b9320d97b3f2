"""Runs a command and measures its wall time, processor time and peak memory, with its children."""

import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import psutil

# How often the memory is read, in seconds.
EVERY = 0.02


@dataclass(frozen=True)
class Measured:
    """The wall and processor time of a command in seconds, and its peak resident memory in bytes."""

    wall: float
    processor: float
    peak: int


def measured(command: Sequence[str], folder: Path, **environment: str) -> Measured:
    """Run a command in `folder`, and return what it took.

    The memory is the sum over the process and its children; pages that they share count for each.

    Raises:
        subprocess.CalledProcessError: the command failed; its output is printed.
    """
    before, start = os.times(), time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | environment, stdout=output, stderr=output
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(EVERY)
        wall, after = time.perf_counter() - start, os.times()
        if process.returncode:
            output.seek(0)
            print(output.read().decode())
            raise subprocess.CalledProcessError(process.returncode, command)
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return Measured(wall, spent, peak)


def resident(pid: int) -> int:
    """Return the resident memory of a process and its children in bytes; 0 if it has ended."""
    try:
        process = psutil.Process(pid)
        return sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))
    except psutil.Error:
        return 0


def machine() -> str:
    """Return the processors, the memory and the versions that figures depend on."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{joblib.cpu_count()} processors ({platform.machine()}), {memory:.0f} GiB, "
        f"{platform.system()}, Python {platform.python_version()}"
    )


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(list(values))


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; all columns but the first are aligned to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    print(machine())
