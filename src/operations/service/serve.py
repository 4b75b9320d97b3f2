"""Starts the service: its socket, its lock and its logging."""

import json
import logging
import os
import re
import socket
import sqlite3
import sys
from datetime import UTC, datetime
from typing import Any

from operations.retraining.exclusive import locked
from operations.service.app import make_app
from operations.service.guard import is_loopback, token
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.config.stores import stores_root

import uvicorn

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
