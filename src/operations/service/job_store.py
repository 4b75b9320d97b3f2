"""The jobs of the service and their history, in SQLite, so that they survive a crash."""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from operations.versions.drift import Drift

from pydantic import BaseModel, Field

State = Literal["queued", "running", "succeeded", "unchanged", "failed", "interrupted"]
ACTIVE = ("queued", "running")


class TrainRequest(BaseModel, extra="forbid"):
    """The body of `POST /train`."""

    keep_data: bool = Field(default=False, description="train on the data of the lock, not on new data")
    all: bool = Field(default=False, description="run every stage, whether changed or not")
    promote: bool = Field(default=True, description="whether the version may become champion")


class Job(BaseModel):
    """A retrain: its request, its progress and its result."""

    id: str
    state: State
    order: TrainRequest = TrainRequest()
    stage: str | None = Field(default=None, description="the stage or step that runs, or ran last")
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    commit: str | None = None
    model_version: int | None = None
    promoted: bool | None = None
    reason: str | None = Field(default=None, description="why the version was promoted or not")
    metrics: dict[str, float] | None = None
    error: str | None = None
    message: str | None = Field(default=None, description="what came of it, in one line")
    rows_read: int | None = None
    rows_rejected: int | None = None
    drift: Drift | None = Field(
        default=None,
        description="how the data of the version differs from the champion's; null for the same data",
    )
    seconds: dict[str, float] = Field(default={}, description="how long each stage took, in seconds")


class RunningError(Exception):
    """A job is queued or running already."""

    def __init__(self, job: str) -> None:
        super().__init__(f"job {job} is running")
        self.job = job


class KeyReusedError(Exception):
    """An idempotency key was used again with another request."""


class Jobs:
    """The job store. Each call opens its own connection, so that any thread may call."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with self._connected() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(
                "CREATE TABLE IF NOT EXISTS jobs "
                "(number INTEGER PRIMARY KEY, id TEXT UNIQUE, state TEXT, key TEXT UNIQUE, content TEXT)"
            )
        # Read all jobs, so that a damaged store fails at the start and not while a job runs.
        self.all()

    @contextmanager
    def _connected(self, write: bool = False) -> Iterator[sqlite3.Connection]:
        """Yield a connection; `write`: in a transaction, which is committed after an error too."""
        with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as database:
            if write:
                database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            finally:
                if write:
                    database.execute("COMMIT")

    def create(self, order: TrainRequest, key: str | None) -> tuple[Job, bool]:
        """Create a job, and return it and True; or return the earlier job of this key, and False.

        Raises:
            RunningError: another job is queued or running.
            KeyReusedError: the key was used with another request.
        """
        with self._connected(write=True) as database:
            if key is not None and (row := _one(database, "key = ?", key)):
                if row.order != order:
                    raise KeyReusedError
                return row, False
            if row := _one(database, "state IN (?, ?)", *ACTIVE):
                raise RunningError(row.id)
            job = Job(id=uuid.uuid4().hex[:12], state="queued", order=order, created_at=now())
            database.execute(
                "INSERT INTO jobs (id, state, key, content) VALUES (?, ?, ?, ?)",
                (job.id, job.state, key, job.model_dump_json()),
            )
            return job, True

    def update(self, job: str, **changes: Any) -> Job:
        """Change fields of a job and return the changed job."""
        with self._connected(write=True) as database:
            row = _one(database, "id = ?", job)
            if row is None:
                raise KeyError(job)
            changed = Job.model_validate(row.model_dump() | changes)
            database.execute(
                "UPDATE jobs SET state = ?, content = ? WHERE id = ?",
                (changed.state, changed.model_dump_json(), job),
            )
            return changed

    def get(self, job: str) -> Job | None:
        """Return the job with this id, or None."""
        with self._connected() as database:
            return _one(database, "id = ?", job)

    def newest(self, count: int) -> list[Job]:
        """Return the newest jobs, the newest first."""
        with self._connected() as database:
            rows = database.execute("SELECT content FROM jobs ORDER BY number DESC LIMIT ?", (count,))
            return [Job.model_validate_json(content) for (content,) in rows]

    def all(self) -> list[Job]:
        """Return every job, the newest first."""
        return self.newest(-1)


def _one(database: sqlite3.Connection, condition: str, *values: str) -> Job | None:
    row = database.execute(f"SELECT content FROM jobs WHERE {condition} LIMIT 1", values).fetchone()  # noqa: S608 - our own words
    return Job.model_validate_json(row[0]) if row else None


def now() -> datetime:
    """Return the time in UTC, to the millisecond."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
