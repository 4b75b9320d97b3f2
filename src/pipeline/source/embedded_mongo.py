"""Runs an embedded MongoDB-compatible server (SecantusDB, on WiredTiger) as a separate process."""

import ctypes
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.config.errors import PipelineError


@contextmanager
def running_server(storage: Path, *options: str) -> Iterator[str]:
    """Run a MongoDB-compatible server on a free loopback port with its files in `storage`; yield its URI.

    Raises:
        PipelineError: it does not start within 30 seconds; its log is in `storage`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"
    storage.mkdir(parents=True, exist_ok=True)
    log = storage / "server.log"
    server = Path(sys.executable).with_name("secantusd-py")
    with log.open("w") as output:
        process = subprocess.Popen(
            [server, f"--port={port}", f"--storage-path={storage / 'data'}", "--log-level=WARNING", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - it makes one system call
        )
    try:
        _wait(process, port, log)
        yield uri
    finally:
        _stop(process, port)


def _stop(process: subprocess.Popen[bytes], port: int) -> None:
    process.terminate()
    deadline = time.monotonic() + 10
    taken = 0
    while time.monotonic() < deadline:
        # The server stops at the next connection, or after two seconds without one. If it still accepts
        # connections, it missed the signal, which can happen just before it sleeps: send it again.
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=0.1).close()
            taken += 1
            if taken % 4 == 0:
                process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            return
    process.kill()
    process.wait()


def _die_with_parent() -> None:
    # A killed stage must not leave a server that keeps the storage locked (Linux: PR_SET_PDEATHSIG). The
    # storage recovers from its write-ahead log.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the server accepts connections. A MongoClient would retry only after half a second."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.01)
    raise PipelineError(
        f"the embedded MongoDB server did not start: see {log}, or remove {log.parent} to start again"
    )
