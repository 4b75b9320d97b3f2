"""Assembles the service: state, routes, error handlers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from operations.service import health, page, problems, reports, routes
from operations.service.guard import BoundedBody, LocalHostsOnly
from operations.service.job_store import Jobs
from operations.service.runner import Runner
from operations.service.version_cache import version_cache
from operations.versions.parameters import model_name

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool


def make_app(folder: Path) -> FastAPI:
    """Make the app; `folder` holds its jobs and their logs."""
    runner = Runner(Jobs(folder / "jobs.sqlite"), folder)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        runner.recover()
        # Fill the cache now: the first request must not wait for the import of MLflow.
        version_cache.get(timeout=0)
        yield
        await run_in_threadpool(runner.stop)

    app = FastAPI(
        title=f"{model_name()}: retraining",
        summary="Reads what is new in MongoDB, runs what changed, publishes a version or changes nothing.",
        version="1",
        lifespan=lifespan,
        responses=problems.responses(421, 500, 503),
    )
    app.state.runner = runner
    app.add_middleware(BoundedBody)
    app.add_middleware(LocalHostsOnly)
    app.include_router(routes.router)
    app.include_router(health.router)
    app.include_router(reports.router)
    app.include_router(page.router)
    problems.install(app)
    return app
