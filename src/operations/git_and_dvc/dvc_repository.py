"""DVC's repository in this process: another one would import all of DVC again for each step."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from operations.git_and_dvc.refusals import refusal
from pipeline.config.errors import ConfigurationError, PipelineError

from dvc.exceptions import CheckoutError
from dvc.logger import ColorFormatter
from dvc.repo import Repo

# What is said where a remote refuses what took hours to make: the DVC cache has it, and MLflow its run.
TRAINED = "what was trained is kept: the same command, run again, publishes it without training again"


@contextmanager
def dvc_repository(step: str, folder: Path = Path(), config: Any = None) -> Iterator[Repo]:
    """Yield the DVC repository of a checkout for a step, of which only a terminal is shown the progress.

    `config` adds to its settings.

    Raises:
        PipelineError: see `plain_dvc_errors`.
    """
    with plain_dvc_errors(step), Repo(str(folder), config=config) as repo:
        yield repo


@contextmanager
def plain_dvc_errors(step: str) -> Iterator[None]:
    """Turn whatever fails in DVC, its remote or the disk into one line. One thread at a time may use it.

    Raises:
        ConfigurationError: the remote refuses it, and would again.
        PipelineError: the step failed; the message is DVC's first error, and its cause what DVC raised.
    """
    with _errors_of_dvc() as (messages, raised):
        try:
            yield
        except PipelineError:
            raise
        except Exception as error:
            if refused := next(filter(None, map(refusal, [*raised, error])), None):
                raise ConfigurationError(f"dvc {step}: {refused}") from error
            # The first one names the object, the last only counts them.
            lines = [line for line in (messages or [str(error)])[0].splitlines() if line.strip()]
            first = " ".join(lines[:2] if lines and lines[0].endswith(":") else lines[:1])
            raise PipelineError(f"dvc {step}: {first or type(error).__name__}") from error


@contextmanager
def _errors_of_dvc() -> Iterator[tuple[list[str], list[BaseException]]]:
    """Yield two lists that take the errors which DVC would print, and what was raised, in their order."""
    messages: list[str] = []
    raised: list[BaseException] = []

    class Listing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(self.format(record).removeprefix("ERROR: "))
            if record.exc_info and record.exc_info[1]:
                raised.append(record.exc_info[1])

    listing = Listing(logging.ERROR)
    listing.setFormatter(ColorFormatter(log_colors=False))
    loggers = [logging.getLogger(name) for name in ("dvc", "dvc_data", "dvc_objects")]
    before = [logger.handlers for logger in loggers]
    for logger in loggers:
        logger.handlers = [listing]
    try:
        yield messages, raised
    finally:
        for logger, handlers in zip(loggers, before, strict=True):
            logger.handlers = handlers


def pull(*stages: str) -> None:
    """Fetch what the lock names, of all stages or of these, and check it out.

    Raises:
        PipelineError: the remote does not hold it, or something is in the way.
    """
    with dvc_repository("pull") as repo:
        try:
            repo.pull(list(stages))
        except CheckoutError as error:
            lost = ", ".join(map(str, error.target_infos))
            raise PipelineError(f"dvc pull: {lost}: is it the remote that it was pushed to?") from None


def stale() -> dict[str, Any]:
    """Return what `dvc status` finds changed since the lock, by stage; empty if nothing is."""
    with dvc_repository("status") as repo:
        return dict(repo.status())


def refuse_stale() -> None:
    """Refuse what other code, parameters or data made than those that are here.

    Raises:
        PipelineError: says which stages have yet to run, or what has to be fetched before that can be told.
    """
    with dvc_repository("status") as repo:
        found = dict(repo.status())
        fetchable = {str(out) for out in repo.index.outs if out.use_cache and out.hash_info}
    if lost := [path for path in _missing(found) if path in fetchable]:
        raise PipelineError(
            f"what the lock names is not here: {', '.join(lost[:3])}: 'dvc pull' fetches it, 'dvc repro' "
            "makes it anew"
        )
    if found:
        raise PipelineError(f"{', '.join(sorted(found))} changed since the last run: run 'dvc repro' first")


def _missing(found: dict[str, Any]) -> list[str]:
    """Return the outputs of which `dvc status` says that the workspace or the cache has them not."""
    changes = [change for stage in found.values() for change in stage if isinstance(change, dict)]
    outputs = [pair for change in changes for pair in change.get("changed outs", {}).items()]
    return [path for path, state in outputs if state in {"deleted", "not in cache"}]


def kept_by_git() -> list[str]:
    """Return the outputs that DVC hashes and leaves to Git: dvc.yaml says `cache: false`.

    Raises:
        PipelineError: nobody keeps one, since dvc.yaml says `push: false`: no version could have it back.
    """
    with dvc_repository("status") as repo:
        outs = list(repo.index.outs)
        if unpushed := [str(out) for out in outs if out.use_cache and not out.can_push]:
            raise PipelineError(
                f"{', '.join(unpushed[:3])}: with 'push: false' in dvc.yaml a version could not be restored"
            )
        return [str(out) for out in outs if not out.use_cache]


def push_data() -> None:
    """Push what the lock names, and ask the remote whether all of it is there.

    Raises:
        ConfigurationError: the remote refuses it; what was made is in the cache, and need not be made again.
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
    """Ask the remote which outputs that the lock names it does not hold, each file of a folder too."""
    with dvc_repository("data status") as repo:
        found = repo.data_status(not_in_remote=True, remote_refresh=True, granular=True)
        return list(found.get("not_in_remote", []))


def _push_each() -> None:
    """Push each file that is not on the remote: where a folder's list is, DVC takes its files for there."""
    with dvc_repository("push") as repo:
        outs = [out for out in repo.index.outs if out.use_cache and out.hash_info]
        # An output may name a remote of its own.
        for name in {out.remote for out in outs}:
            objects = {out.hash_info for out in outs if out.remote == name}
            repo.cloud.transfer(repo.cache.local, repo.cloud.get_remote_odb(name), objects, shallow=False)
