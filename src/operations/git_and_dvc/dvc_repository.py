"""Uses DVC's repository in this process: a separate process would import DVC again for each step."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import Any

from operations.git_and_dvc.full_disk import end_on_full_disk
from operations.git_and_dvc.refusals import refusal
from pipeline.config.errors import ConfigurationError, PipelineError

from dvc.exceptions import CheckoutError
from dvc.logger import ColorFormatter
from dvc.repo import Repo

end_on_full_disk()

# Added when a remote refuses a push: the DVC cache has the result of hours of training, MLflow has its run.
TRAINED = "what was trained is kept: the same command, run again, publishes it without training again"


@contextmanager
def dvc_repository(step: str, folder: Path = Path(), config: Any = None) -> Iterator[Repo]:
    """Yield the DVC repository of a checkout for a step; progress is shown only on a terminal.

    `config` is merged into its settings.

    Raises:
        PipelineError: see `plain_dvc_errors`.
    """
    with plain_dvc_errors(step), Repo(str(folder), config=config) as repo:
        yield repo


@contextmanager
def plain_dvc_errors(step: str) -> Iterator[None]:
    """Turn any error of DVC, its remote or the disk into one line. Only one thread at a time may use it.

    Raises:
        ConfigurationError: the remote refuses it; trying again does not help.
        PipelineError: the step failed; the message is DVC's first error, its cause the exception of DVC.
    """
    records = BufferingHandler(sys.maxsize)
    records.setLevel(logging.ERROR)
    loggers = [logging.getLogger(name) for name in ("dvc", "dvc_data", "dvc_objects")]
    before = [logger.handlers for logger in loggers]
    for logger in loggers:
        logger.handlers = [records]
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        raised = [record.exc_info[1] for record in records.buffer if record.exc_info]
        if refused := next(filter(None, map(refusal, [*filter(None, raised), error])), None):
            raise ConfigurationError(f"dvc {step}: {refused}") from error
        # The first message names the object, the last one only counts the failures.
        messages = [ColorFormatter(log_colors=False).format(record) for record in records.buffer[:1]]
        message = (messages or [str(error)])[0].removeprefix("ERROR: ")
        lines = [line for line in message.splitlines() if line.strip()]
        first = " ".join(lines[:2] if lines and lines[0].endswith(":") else lines[:1])
        raise PipelineError(f"dvc {step}: {first or type(error).__name__}") from error
    finally:
        for logger, handlers in zip(loggers, before, strict=True):
            logger.handlers = handlers


def pull(*stages: str) -> None:
    """Fetch and check out the outputs in the lock, of all stages or of these.

    Raises:
        PipelineError: the remote does not have them, or a file is in the way.
    """
    with dvc_repository("pull") as repo:
        try:
            repo.pull(list(stages))
        except CheckoutError as error:
            lost = ", ".join(map(str, error.target_infos))
            raise PipelineError(f"dvc pull: {lost}: is it the remote that it was pushed to?") from None


def stale() -> dict[str, Any]:
    """Return the changes since the lock as `dvc status` reports them, by stage; empty if there are none."""
    with dvc_repository("status") as repo:
        return dict(repo.status())


def recipe_changed() -> bool:
    """Return whether code, parameters, packages or commands differ from the lock; outputs may be missing."""
    with dvc_repository("status") as repo:
        changes = [change for stage in repo.status().values() for change in stage]
        outputs = {str(out) for out in repo.index.outs}
    return any(isinstance(change, str) or {*change.get("changed deps", {})} - outputs for change in changes)


def refuse_stale() -> None:
    """Check that the outputs here are those of the code, parameters and data here.

    Raises:
        PipelineError: a stage has to run, or an output has to be fetched first; the message names it.
    """
    with dvc_repository("status") as repo:
        status = dict(repo.status())
        fetchable = {str(out) for out in repo.index.outs if out.use_cache and out.hash_info}
    if lost := [path for path in _missing(status) if path in fetchable]:
        raise PipelineError(
            f"what the lock names is not here: {', '.join(lost[:3])}: 'dvc pull' fetches it, 'dvc repro' "
            "makes it again"
        )
    if status:
        raise PipelineError(f"{', '.join(sorted(status))} changed since the last run: run 'dvc repro' first")


def _missing(status: dict[str, Any]) -> list[str]:
    """Return the outputs that are missing in the workspace or the cache according to `dvc status`."""
    changes = [change for stage in status.values() for change in stage if isinstance(change, dict)]
    outputs = [pair for change in changes for pair in change.get("changed outs", {}).items()]
    return [path for path, state in outputs if state in {"deleted", "not in cache"}]


def kept_by_git() -> list[str]:
    """Return the outputs that DVC hashes and leaves to Git (`cache: false` in dvc.yaml).

    Raises:
        PipelineError: an output has `push: false` in dvc.yaml, so that no version could restore it.
    """
    with dvc_repository("status") as repo:
        outs = list(repo.index.outs)
        if unpushed := [str(out) for out in outs if out.use_cache and not out.can_push]:
            raise PipelineError(
                f"{', '.join(unpushed[:3])}: with 'push: false' in dvc.yaml a version could not be restored"
            )
        return [str(out) for out in outs if not out.use_cache]


def push_data() -> None:
    """Push the outputs in the lock, and verify that all of them are on the remote.

    Raises:
        ConfigurationError: the remote refuses the push; the outputs stay in the cache.
        PipelineError: the push failed, or an output is still not on the remote.
    """
    try:
        with dvc_repository("push") as repo:
            repo.push()
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}; {TRAINED}") from error
    if missing := not_on_remote():
        _push_each()
        missing = not_on_remote()
    if missing:
        raise PipelineError(f"not on the remote after the push: {', '.join(missing)}; run the command again")


def not_on_remote() -> list[str]:
    """Return the outputs in the lock, including the files of folders, that are missing on the remote."""
    with dvc_repository("data status") as repo:
        status = repo.data_status(not_in_remote=True, remote_refresh=True, granular=True)
        return list(status.get("not_in_remote", []))


def _push_each() -> None:
    """Push each missing file. `dvc push` skips the files of a folder whose list is on the remote."""
    with dvc_repository("push") as repo:
        outs = [out for out in repo.index.outs if out.use_cache and out.hash_info]
        # Each output may name another remote.
        for name in {out.remote for out in outs}:
            objects = {out.hash_info for out in outs if out.remote == name}
            repo.cloud.transfer(repo.cache.local, repo.cloud.get_remote_odb(name), objects, shallow=False)
