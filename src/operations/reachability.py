"""Which of the servers that a retrain needs answer, each named, within seconds."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from operations.console import echo
from operations.git_and_dvc.git import REMOTE, git, has_remote
from operations.versions.registry import Registry
from pipeline.config.errors import ConfigurationError, PipelineError, cause_of
from pipeline.config.parameters import load
from pipeline.source.mongo import connect
from pipeline.source.parameters import IngestionParameters

# How long a server may take to answer, and how often one that is away is asked again, in seconds.
PATIENCE, PAUSE = 8.0, 2.0


def unreachable(source: bool = True) -> dict[str, str]:
    """Return the servers that do not answer, and why: of `mongodb`, `remote` (DVC's), `mlflow` and `git`.

    All are asked at once; what has not answered after 8 seconds counts as away. Without `source`, MongoDB is
    not asked.
    """
    return _away(_asked(source))


def check_remote() -> None:
    """Ask DVC's remote alone, which DVC itself would wait for in silence, for minutes.

    Raises:
        PipelineError: it does not answer within 8 seconds.
    """
    asked = {"remote": _in_background("remote", _remote)}
    wait(asked.values(), timeout=PATIENCE)
    if away := _away(asked):
        raise PipelineError(f"the DVC remote cannot be used: {away['remote']}; nothing was changed")


def _asked(source: bool) -> dict[str, "Future[None]"]:
    """Ask all servers, and return what each answered within 8 seconds."""
    checks = {"mongodb": _mongodb} if source else {}
    checks |= {"remote": _remote, "mlflow": _mlflow, "git": _git}
    asked = {name: _in_background(name, check) for name, check in checks.items()}
    wait(asked.values(), timeout=PATIENCE)
    return asked


_pending: dict[str, "Future[None]"] = {}
_lock = threading.Lock()


def _in_background(name: str, check: Callable[[], None]) -> "Future[None]":
    """Run a check in a thread that holds nobody up at the end; one that still waits is not started twice."""
    with _lock:
        if (before := _pending.get(name)) is not None and not before.done():
            return before
        future = _pending[name] = Future[None]()

    def run() -> None:
        try:
            check()
            future.set_result(None)
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            future.set_exception(error)

    threading.Thread(target=run, name=f"reach {name}", daemon=True).start()
    return future


def wait_for_servers(seconds: float, source: bool = True) -> None:
    """Wait until every server answers, and say which one is waited for.

    Raises:
        PipelineError: one is still away after that many seconds, or MONGODB_URI is needed and not set.
        ConfigurationError: waiting would not help.
    """
    if (
        source
        and load("ingestion", IngestionParameters).source == "mongodb"
        and not os.environ.get("MONGODB_URI")
    ):
        _mongodb()  # says so; waiting would not help
    deadline, before = time.monotonic() + seconds, ""
    while True:
        asked = _asked(source)
        if refusal := _refusal(asked):
            raise refusal
        if not (away := _away(asked)):
            return
        said = "; ".join(f"{name}: {why}" for name, why in away.items())
        if time.monotonic() > deadline:
            raise PipelineError(f"{said}; it was waited for {seconds:.0f} seconds")
        if said != before:
            echo(f"waiting for {said} ({seconds:.0f} seconds at most)")
        before = said
        time.sleep(PAUSE)


T = TypeVar("T")


def patiently(step: Callable[[], T], seconds: float, source: bool) -> T:
    """Do a step; if it fails while a server is away, wait for the server and do it once more.

    Raises:
        PipelineError: it failed for another reason, or again, or the server stayed away.
    """
    try:
        return step()
    except PipelineError as error:
        asked = _asked(source)
        if not _away(asked) or _refusal(asked):
            raise
        echo(f"{error}; it will be tried again")
        wait_for_servers(seconds, source)
        return step()


def _away(asked: dict[str, "Future[None]"]) -> dict[str, str]:
    """Return which servers are away, and why."""
    return {name: said for name, future in asked.items() if (said := _said(future))}


def _refusal(asked: dict[str, "Future[None]"]) -> ConfigurationError | None:
    """Return why waiting would not help, if it would not."""
    errors = (future.exception() for future in asked.values() if future.done())
    return next((error for error in errors if isinstance(error, ConfigurationError)), None)


def _said(future: "Future[None]") -> str | None:
    if not future.done():
        return f"no answer within {PATIENCE:.0f} seconds"
    error = future.exception()
    if error is None:
        return None
    said = str(error) if isinstance(error, PipelineError) else cause_of(error)
    # It was asked only: nothing would have been changed.
    return said.removesuffix("; nothing was changed")


def _mongodb() -> None:
    source = load("ingestion", IngestionParameters).source
    if source == "mongodb":
        with connect(source) as client:
            client.admin.command("ping")


def _remote() -> None:
    from botocore.exceptions import NoCredentialsError
    from dvc.repo import Repo

    bucket = ""
    try:
        with Repo(str(Path.cwd())) as repo:
            objects = repo.cloud.get_remote_odb()
            if objects.fs.protocol != "local":
                bucket = objects.path.split("/")[0]
                _look_into(objects.fs.fs, objects.path, bucket)
    except NoCredentialsError:
        raise PipelineError("no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") from None
    except FileNotFoundError:
        raise ConfigurationError(
            f"there is no bucket {bucket}: make it, or correct the remote's url"
        ) from None
    except sqlite3.Error:
        # Of what DVC notes here: the disk is full, say. That is not the remote's, and not to be waited for.
        return


def _look_into(files: Any, folder: str, bucket: str) -> None:
    """List DVC's folder alone: the bucket may hold millions of other things, and not be ours to list.

    Raises:
        FileNotFoundError: there is no such bucket; without the folder, nothing was pushed yet.
    """
    try:
        files.ls(folder, refresh=True)
    except FileNotFoundError:
        with suppress(PermissionError):
            files.info(bucket, refresh=True)


def _mlflow() -> None:
    Registry().champion()


def _git() -> None:
    if has_remote():
        git("ls-remote", "--heads", REMOTE, patience=PATIENCE)
