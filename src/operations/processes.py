"""Ends child processes, also when their parent is killed."""

import ctypes
import os
import signal
import subprocess
import sys
from contextlib import suppress

# The time between SIGTERM and SIGKILL, in seconds.
GRACE = 5.0


def end_group(process: "subprocess.Popen[bytes]", grace: float = GRACE) -> None:
    """End a process group by its leader: SIGTERM, then SIGKILL after `grace` seconds."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def die_with_parent(number: signal.Signals, parent: int) -> None:
    """Let the kernel send this process a signal when its parent, with the process id `parent`, dies.

    This uses PR_SET_PDEATHSIG of Linux. On other systems, the next run ends the processes that are left.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(number))
        if os.getppid() != parent:
            os.kill(os.getpid(), number)
