"""The retraining service as a process, and its API as a client uses it."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from project import Project, free_port, wait_for

import psutil
import requests

ACTIVE = ("queued", "running")


@dataclass
class Service:
    """The service of a checkout, with `kill` and `start`."""

    project: Project
    port: int
    process: subprocess.Popen[bytes]

    def url(self, path: str) -> str:
        """The URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def post(self, body: Any = None, **headers: str) -> requests.Response:
        """Ask for a retrain."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.post(self.url("/train"), json=body, headers=named, timeout=30)

    def get(self, path: str) -> requests.Response:
        """Read a path."""
        return requests.get(self.url(path), timeout=30)

    def job(self, job: str) -> dict[str, Any]:
        """Return the state of a job."""
        found: dict[str, Any] = self.get(f"/train/{job}").json()
        return found

    def until(self, job: str, done: Any = lambda job: job["state"] not in ACTIVE) -> dict[str, Any]:
        """Wait for a job to end, or for a condition."""
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            found = self.job(job)
            if done(found):
                return found
            time.sleep(0.3)
        raise AssertionError(f"job {job} does not get there: {found}")

    def train(self, body: Any = None) -> dict[str, Any]:
        """Retrain, and wait for the end."""
        answer = self.post(body)
        assert answer.status_code == 202, answer.text
        return self.until(answer.json()["id"])

    def wait_for_step(self, job: str, step: str) -> None:
        """Wait until the log of the job names a step, or the job has ended."""
        log = self.project.root / f"jobs/{job}/log.txt"
        deadline, ask = time.monotonic() + 600, 0.0
        while time.monotonic() < deadline:
            found = log.read_text(errors="replace") if log.exists() else ""
            if step in found or (step == "preparing" and log.exists()):
                return
            # The log is cheap to read, a request is not.
            if time.monotonic() > ask:
                if self.job(job)["state"] not in ACTIVE:
                    return
                ask = time.monotonic() + 1
            time.sleep(0.02)
        raise AssertionError(f"the job does not get to {step}")

    def wait_for_recovery(self) -> None:
        """Wait until the service has recovered from the previous one."""
        end = self.project.root / "jobs/recovery/end.json"
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            if end.exists() and end.stat().st_mtime > psutil.Process(self.process.pid).create_time():
                return
            time.sleep(0.1)
        raise AssertionError("the service does not recover")

    def kill(self) -> None:
        """Kill the service by SIGKILL."""
        self.process.kill()
        self.process.wait()

    def start(self, **env: str) -> None:
        """Start the service on its port."""
        log = self.project.root.parent / f"{self.project.root.name}-service.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                ["pipeline", "serve", "--port", str(self.port)],
                cwd=self.project.root,
                env=self.project.env | env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        wait_for(self.url("/health"), self.process, log)


@contextmanager
def running_service(project: Project, **env: str) -> Iterator[Service]:
    """Run the service of a checkout."""
    service = Service(project, free_port(), subprocess.Popen(["true"]))
    service.start(**env)
    try:
        yield service
    finally:
        with suppress(ProcessLookupError):
            os.kill(service.process.pid, signal.SIGTERM)
        service.process.wait(60)
