"""A real MLflow server for the tests."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.tracking.new_store import prepare_store
from project import environment, free_port, wait_for


@contextmanager
def running_mlflow(folder: Path, artifacts: str | None = None, **env: str) -> Iterator[str]:
    """Run an MLflow server on a free port and yield its URI.

    Its database is in `folder`, and its artifacts are too, unless `artifacts` names another place.
    """
    # Without a database, MLflow creates and migrates one, which takes seconds.
    prepare_store(f"sqlite:///{folder}/mlflow.db")
    port, log = free_port(), folder / "server.log"
    store = [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        artifacts or f"{folder}/files",
    ]
    with log.open("w") as output:
        process = subprocess.Popen(
            ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *store],
            env=environment(
                MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false", **env
            ),
            cwd=folder,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        # The server has workers: end all of them, and kill those that do not end.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
