"""Runs each job as a process, and reads its stage from its log."""

import logging
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from operations.processes import end_group
from operations.pruning import keep_newest
from operations.retraining.request import Failure, Outcome
from operations.service.job_process import End, Recovered
from operations.service.job_store import ACTIVE, Job, Jobs, TrainRequest, now
from operations.service.version_cache import version_cache
from operations.versions.version import PUSHING

from pydantic import TypeAdapter

LOG = logging.getLogger("operations.service")
# The log lines of DVC and of publishing at the start of a step.
STEP = re.compile(rb"Running stage '(\w+)'|^(publishing):", re.MULTILINE)
PUSHED = re.compile(rf"^publishing: {PUSHING} ([0-9a-f]+) ", re.MULTILINE)
INTERRUPTED = {"state": "interrupted", "error": "the service ended while the job ran"}
# A process that a signal stopped exits with 128 plus the signal's number.
SIGNAL_EXIT_CODE = 128
# For how many jobs the log is kept.
KEPT_LOGS = 1000
# How often the log of the running job is read, in seconds.
POLL_INTERVAL = 0.2
# How long to wait before the result of a job is stored again, in seconds.
RETRY_INTERVAL = 5.0
# How long a job may take to stop, in seconds: it removes its worktree.
GRACE = 20.0


class Runner:
    """Runs one job at a time, and keeps the logs of the jobs."""

    def __init__(self, jobs: Jobs, folder: Path) -> None:
        self.jobs = jobs
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        # One thread: a job that arrives during the recovery waits for it.
        self._worker = ThreadPoolExecutor(1)

    def log(self, job: str) -> Path:
        """Return the path of a job's log."""
        return self._folder / job / "log.txt"

    def start(self, job: Job) -> None:
        """Run a job in the background."""
        self._worker.submit(self._retrain, job.id, job.order)

    def recover(self) -> None:
        """Mark the jobs that died with the service, and finish their publications in the background."""
        for job in [job for job in self.jobs.all() if job.state in ACTIVE]:
            # The job may have ended by itself before its result was stored.
            end = self._read_end(job.id)
            stopped = end is None or (isinstance(end, Failure) and end.exit_code >= SIGNAL_EXIT_CODE)
            self.jobs.update(
                job.id, finished_at=now(), **(INTERRUPTED if stopped else self._job_changes(end))
            )
        # A job that was stopped by a signal may have pushed its commit too.
        interrupted = [
            job for job in self.jobs.newest(1) if job.state == "interrupted" and not job.model_version
        ]
        self._worker.submit(self._recover, interrupted)

    def stop(self) -> None:
        """Stop the running job, and wait for its end."""
        self._stopping.set()
        if (process := self._process) is not None:
            end_group(process, GRACE)
        self._worker.shutdown()

    def _retrain(self, job: str, order: TrainRequest) -> None:
        changes: dict[str, Any] = {"state": "failed", "error": "the service failed: see its log"}
        try:
            self.jobs.update(job, state="running", started_at=now())
            end = None if self._stopping.is_set() else self._run(job, order.model_dump_json())
            changes = self._job_changes(end)
            if end is None and not self._stopping.is_set():
                # The job was killed: remove what it left, and finish its publication.
                changes |= self._recovered_version(job, self._run("recovery", "recover"))
        except Exception:
            LOG.exception("job %s", job)
        finally:
            # Invalidate the cache first: a client that sees the end of the job must see its version.
            version_cache.forget()
            self._end(job, changes)

    def _end(self, job: str, changes: dict[str, Any]) -> None:
        """Store the result of a job. On a full disk, try again: else the job would seem to run forever."""
        while True:
            try:
                self.jobs.update(job, finished_at=now(), **changes)
                return
            except sqlite3.Error:
                LOG.exception("the end of job %s could not be noted", job)
                if self._stopping.wait(RETRY_INTERVAL):
                    return

    def _job_changes(self, end: End | None) -> dict[str, Any]:
        """Return the fields of a job for its result."""
        if isinstance(end, Outcome):
            return end.model_dump(exclude={"version"}) | {"model_version": end.version}
        if self._stopping.is_set():
            return {"state": "interrupted", "error": "the service was stopped while the job ran"}
        error = end.error if isinstance(end, Failure) else "the job was killed"
        return {"state": "failed", "error": error}

    def _recover(self, interrupted: list[Job]) -> None:
        if self._stopping.is_set():
            return
        try:
            end = self._run("recovery", "recover")
            if interrupted and (changes := self._recovered_version(interrupted[0].id, end)):
                self.jobs.update(interrupted[0].id, **changes)
        except Exception:
            LOG.exception("recovery")

    def _recovered_version(self, job: str, end: End | None) -> dict[str, Any]:
        """Return the fields for the version that the recovery finished, if the job's log has its commit."""
        if not isinstance(end, Recovered) or not self.log(job).exists():
            return {}
        pushed = set(PUSHED.findall(self.log(job).read_text(encoding="utf-8", errors="replace")))
        own = [version for version, commit in end.commits.items() if commit in pushed]
        if not own:
            return {}
        message = "it had pushed its commit when it was killed: its version was finished afterwards"
        return {"model_version": own[-1], "message": message}

    def _run(self, name: str, words: str) -> End | None:
        """Run the process of a job to its end, and return its result; None if it wrote none."""
        log, result = self.log(name), self._result(name)
        keep_newest(self._folder, KEPT_LOGS)
        log.parent.mkdir(parents=True, exist_ok=True)
        result.unlink(missing_ok=True)
        module = [sys.executable, "-m", "operations.service.job_process"]
        with log.open("wb") as output:
            process = self._process = subprocess.Popen(
                [*module, words, str(result), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        try:
            if self._stopping.is_set():
                # `stop` was called before the process existed.
                end_group(process, GRACE)
            while process.poll() is None:
                self._note_step(name)
                time.sleep(POLL_INTERVAL)
            self._note_step(name)
        finally:
            end_group(process)
            self._process = None
        with suppress(sqlite3.Error):
            if known := self.jobs.get(name):
                self._finish_step(known)
        return self._read_end(name)

    def _result(self, job: str) -> Path:
        return self._folder / job / "end.json"

    def _read_end(self, job: str) -> End | None:
        """Return the result that the process of a job wrote; None if it is missing or incomplete."""
        if not (result := self._result(job)).exists():
            return None
        try:
            return TypeAdapter[End](End).validate_json(result.read_bytes())
        except (OSError, ValueError):
            LOG.exception("job %s", job)
            return None

    def _note_step(self, job: str) -> None:
        """Store the step that the log shows, and how long the previous step took."""
        # What cannot be stored now is stored at the next call.
        with suppress(OSError, sqlite3.Error):
            steps = STEP.findall(self.log(job).read_bytes())
            step = next(filter(None, steps[-1])).decode() if steps else "preparing"
            if (known := self.jobs.get(job)) and step != known.stage:
                self._finish_step(known)
                self.jobs.update(job, stage=step)

    def _finish_step(self, job: Job) -> None:
        if job.started_at is not None:
            passed = (now() - job.started_at).total_seconds() - sum(job.seconds.values())
            stage = job.stage or "preparing"
            # A stage can run twice: publishing may evaluate again.
            spent = round(job.seconds.get(stage, 0) + passed, 3)
            self.jobs.update(job.id, seconds=job.seconds | {stage: spent})
