"""Makes the service of its routes, and starts it: its socket, its lock and its logging."""

import json
import logging
import os
import re
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from operations.retraining.exclusive import locked
from operations.service import health, page, problems, reports, routes
from operations.service.guard import BoundedBody, LocalHostsOnly, is_loopback, token
from operations.service.job_store import Jobs
from operations.service.runner import Runner
from operations.service.version_cache import version_cache
from operations.versions.parameters import model_name
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.config.stores import stores_root

import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

JOBS = "jobs"


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON, for log collectors."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        content: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            content["exception"] = self.formatException(record.exc_info)
        return json.dumps(content)


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


def serve(host: str, port: int) -> None:
    """Serve until a signal arrives.

    Raises:
        ConfigurationError: the host is not loopback and there is no token, or the token is not valid in HTTP.
        BusyError: a service runs in this repository already.
        PipelineError: the port is not free, or the job store cannot be used.
    """
    if not is_loopback(host) and not token():
        raise ConfigurationError(f"--host {host} is open to others: set TRAIN_API_TOKEN first")
    if not re.fullmatch(r"[!-~]*", token()):
        raise ConfigurationError("TRAIN_API_TOKEN may hold ASCII letters, digits and signs, and no space")
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    formatter = "plain" if sys.stderr.isatty() else "json"
    logs = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "plain": {"format": "%(asctime)s %(levelname)s %(message)s"},
            "json": {"()": JsonFormatter},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": formatter}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
    }
    folder = stores_root() / JOBS
    folder.mkdir(exist_ok=True)
    busy = "a service runs in this repository already"
    with locked(folder / "service.lock", busy), listening(host, port) as listener:
        try:
            app = make_app(folder)
        except sqlite3.Error as error:
            raise PipelineError(f"{folder}/jobs.sqlite cannot be used: {error}") from None
        except ValueError:
            raise PipelineError(f"{folder}/jobs.sqlite holds a job of another kind: move it away") from None
        config = uvicorn.Config(app, log_config=logs, server_header=False, timeout_graceful_shutdown=5)
        uvicorn.Server(config).run(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Raises:
        PipelineError: the port is in use, or this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise PipelineError(f"cannot listen on {host}, port {port}: {error.strerror}") from None
