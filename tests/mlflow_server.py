"""A real MLflow server for the tests."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from project import environment, free_port, wait_for


@contextmanager
def running_mlflow(folder: Path) -> Iterator[str]:
    """Run an MLflow server on a free port, its database and its files in `folder`, and yield its URI."""
    port, log = free_port(), folder / "server.log"
    store = [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        f"{folder}/files",
    ]
    with log.open("w") as output:
        process = subprocess.Popen(
            ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *store],
            env=environment(MLFLOW_DISABLE_TELEMETRY="true"),
            cwd=folder,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        # The server has workers: all of them go.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
