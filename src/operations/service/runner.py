"""Runs the jobs: each is a process of its own, whose log tells which stage it is at."""

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
from typing import Any, BinaryIO

from operations.processes import end_group
from operations.pruning import keep_newest
from operations.retraining.request import Failure, Outcome
from operations.service.job_process import Recovered
from operations.service.job_store import Job, Jobs, TrainRequest, now
from operations.service.version_cache import version_cache
from operations.versions.version import PUSHING

from pydantic import TypeAdapter

LOG = logging.getLogger("operations.service")
# What DVC and publishing say when a step begins.
STEP = re.compile(rb"Running stage '(\w+)'|^(publishing):", re.MULTILINE)
PUSHED = re.compile(rf"^publishing: {PUSHING} ([0-9a-f]+) ", re.MULTILINE)
INTERRUPTED = {"state": "interrupted", "error": "the service ended while the job ran"}
# A process that a signal stopped ends with 128 and the signal's number.
SIGNAL_EXIT_CODE = 128
# Of how many jobs the log is kept.
KEPT_LOGS = 1000
# How often the log of the running job is looked at, in seconds.
POLL_INTERVAL = 0.2
# How long to wait before the end of a job is noted once more, in seconds.
RETRY_INTERVAL = 5.0
# A job that is asked to stop removes its worktree; seconds.
GRACE = 20.0


class Runner:
    """The job that runs, and the logs of all of them."""

    def __init__(self, jobs: Jobs, folder: Path) -> None:
        self.jobs = jobs
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        # One thread: a job that comes during the recovery is queued behind it.
        self._worker = ThreadPoolExecutor(1)

    def log(self, job: str) -> Path:
        """Where the log of a job is."""
        return self._folder / job / "log.txt"

    def start(self, job: Job) -> None:
        """Run a job in the background."""
        self._worker.submit(self._retrain, job.id, job.order)

    def recover(self) -> None:
        """Mark the jobs that died with the service, and finish what they had pushed, in the background."""
        for job in self.jobs.active():
            # It may have come to its own end, and died before that was noted.
            end = self._read_end(job.id)
            stopped = end is None or (isinstance(end, Failure) and end.exit_code >= SIGNAL_EXIT_CODE)
            self.jobs.update(
                job.id, finished_at=now(), **(INTERRUPTED if stopped else self._job_changes(end))
            )
        # One that was stopped in order may have pushed its commit as well.
        interrupted = [
            job for job in self.jobs.newest(1) if job.state == "interrupted" and not job.model_version
        ]
        self._worker.submit(self._recover, interrupted)

    def stop(self) -> None:
        """End what runs, and wait for it."""
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
                # It was killed: what it left goes, and what it had pushed is finished.
                changes |= self._recovered_version(job, self._run("recovery", "recover"))
        except Exception:
            LOG.exception("job %s", job)
        finally:
            # Whoever sees that the job is over sees its version too.
            version_cache.forget()
            self._end(job, changes)

    def _end(self, job: str, changes: dict[str, Any]) -> None:
        """Note how a job ended; a disk that is full for a while must not leave it running for ever."""
        while True:
            try:
                self.jobs.update(job, finished_at=now(), **changes)
                return
            except sqlite3.Error:
                LOG.exception("the end of job %s could not be noted", job)
                if self._stopping.wait(RETRY_INTERVAL):
                    return

    def _job_changes(self, end: Outcome | Recovered | Failure | None) -> dict[str, Any]:
        """Say how a job ended."""
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

    def _recovered_version(self, job: str, end: Outcome | Recovered | Failure | None) -> dict[str, Any]:
        """Say which version the recovery finished for a job, if its log says that it pushed that one."""
        if not isinstance(end, Recovered) or not self.log(job).exists():
            return {}
        pushed = set(PUSHED.findall(self.log(job).read_text(encoding="utf-8", errors="replace")))
        own = [version for version, commit in end.commits.items() if commit in pushed]
        if not own:
            return {}
        said = "it had pushed its commit when it was killed: its version was finished afterwards"
        return {"model_version": own[-1], "message": said}

    def _run(self, name: str, words: str) -> Outcome | Recovered | Failure | None:
        """Run the process of a job to its end, and return what it says; None if it died without a word."""
        log, result = self.log(name), self._result(name)
        keep_newest(self._folder, KEPT_LOGS)
        log.parent.mkdir(parents=True, exist_ok=True)
        result.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-m",
            "operations.service.job_process",
            words,
            str(result),
            str(os.getpid()),
        ]
        with log.open("wb") as output:
            process = self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0
            )
        try:
            with log.open("rb") as said:
                if self._stopping.is_set():
                    # It was asked to stop before there was a process to end.
                    end_group(process, GRACE)
                while process.poll() is None:
                    # What cannot be noted now is noted at a later look.
                    with suppress(OSError, sqlite3.Error):
                        self._note_step(name, said)
                    time.sleep(POLL_INTERVAL)
                with suppress(OSError, sqlite3.Error):
                    self._note_step(name, said)
        finally:
            end_group(process)
            self._process = None
        with suppress(sqlite3.Error):
            if known := self.jobs.get(name):
                self._finish_step(known)
        return self._read_end(name)

    def _result(self, job: str) -> Path:
        return self._folder / job / "end.json"

    def _read_end(self, job: str) -> Outcome | Recovered | Failure | None:
        """Return what the process of a job said of its end; None if it died without a word that is whole."""
        if not (result := self._result(job)).exists():
            return None
        kinds = TypeAdapter[Outcome | Recovered | Failure](Outcome | Recovered | Failure)
        try:
            return kinds.validate_json(result.read_bytes())
        except (OSError, ValueError):
            LOG.exception("job %s", job)
            return None

    def _note_step(self, job: str, log: BinaryIO) -> None:
        """Note when the log tells of another step, and how long the one before it took."""
        before = log.tell()
        lines, end, _ = log.read().rpartition(b"\n")
        log.seek(before)
        steps = STEP.findall(lines)
        known = self.jobs.get(job)
        if known is not None:
            step = next(filter(None, steps[-1])).decode() if steps else known.stage or "preparing"
            if step != known.stage:
                self._finish_step(known)
                self.jobs.update(job, stage=step)
        log.seek(before + len(lines + end))

    def _finish_step(self, job: Job) -> None:
        if job.started_at is not None:
            passed = (now() - job.started_at).total_seconds() - sum(job.seconds.values())
            stage = job.stage or "preparing"
            # A stage can run twice: publishing may evaluate again.
            spent = round(job.seconds.get(stage, 0) + passed, 3)
            self.jobs.update(job.id, seconds=job.seconds | {stage: spent})
