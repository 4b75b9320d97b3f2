"""Routes of jobs: `POST /train` starts a retrain, `GET /train` and below return its state."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from operations.service.guard import authorized
from operations.service.job_store import ACTIVE, Job, State, TrainRequest
from operations.service.problems import responses
from operations.service.runner import Runner

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

router = APIRouter(prefix="/train", tags=["training"])
LOG_LINES = 50
# How often a stream checks for changes, in seconds.
POLL_INTERVAL = 0.5


class Accepted(BaseModel):
    """The new job, or the earlier job of the same idempotency key."""

    id: str
    state: State
    url: str


class Detail(Job):
    """A job with the end of its log."""

    log: list[str]


def the_runner(request: Request) -> Runner:
    """Return the job runner of the app."""
    runner: Runner = request.app.state.runner
    return runner


Running = Annotated[Runner, Depends(the_runner)]


def find(job: Annotated[str, Path(examples=["0123456789ab"])], runner: Running) -> Job:
    """Return the job that a path names.

    Raises:
        HTTPException: 404.
    """
    if path_job := runner.jobs.get(job):
        return path_job
    raise HTTPException(404, f"there is no job {job}")


PathJob = Annotated[Job, Depends(find)]


def detail(runner: Runner, job: Job) -> Detail:
    """Return a job with the end of its log."""
    log = runner.log(job.id)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return Detail(**job.model_dump(), log=lines[-LOG_LINES:])


@router.post(
    "",
    status_code=202,
    dependencies=[Depends(authorized)],
    responses=responses(400, 401, 403, 409, 413, 422),
)
def train(
    runner: Running,
    response: Response,
    order: TrainRequest | None = None,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Accepted:
    """Start a retrain. One runs at a time: while it does, another is refused with the id of the first."""
    job, new = runner.jobs.create(order or TrainRequest(), idempotency_key)
    if new:
        runner.start(job)
    url = f"/train/{job.id}"
    response.headers["Location"] = url
    return Accepted(id=job.id, state=job.state, url=url)


@router.get("", responses=responses(422))
def history(runner: Running, count: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[Job]:
    """The newest jobs, the newest first."""
    return runner.jobs.newest(count)


@router.get("/{job}", responses=responses(404, 422))
def show(path_job: PathJob, runner: Running) -> Detail:
    """The state of a job, with the last 50 lines of its log."""
    return detail(runner, path_job)


@router.get("/{job}/log", response_class=PlainTextResponse, responses=responses(404, 422))
def log(path_job: PathJob, runner: Running) -> Response:
    """The whole log of a job."""
    path = runner.log(path_job.id)
    return PlainTextResponse(path.read_bytes() if path.exists() else b"")


@router.get("/{job}/events", response_class=EventSourceResponse, responses=responses(404, 422))
async def events(path_job: PathJob, runner: Running) -> AsyncIterator[ServerSentEvent]:
    """A stream of the job's changes, which ends with the job."""
    before = None
    while True:
        job = await run_in_threadpool(runner.jobs.get, path_job.id) or path_job
        now = await run_in_threadpool(detail, runner, job)
        if now != before:
            yield ServerSentEvent(data=now, event="job")
        before = now
        if now.state not in ACTIVE:
            return
        await asyncio.sleep(POLL_INTERVAL)
