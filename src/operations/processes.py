"""Processes that must not outlive who started them."""

import ctypes
import os
import signal
import subprocess
import sys
from contextlib import suppress

# How long a process that is asked to end may take, in seconds.
GRACE = 5.0


def end_group(process: "subprocess.Popen[bytes]", grace: float = GRACE) -> None:
    """End a process that leads its group, and all that it started: politely, then for certain."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def die_with_parent(number: signal.Signals, parent: int) -> None:
    """Let the kernel send this process a signal when its parent, whose id is given, is gone.

    It is PR_SET_PDEATHSIG of Linux; elsewhere nothing happens, and the next run ends what was left.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(number))
        if os.getppid() != parent:
            os.kill(os.getpid(), number)
