"""Checks that DVC's remotes list, take and give objects."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from operations.git_and_dvc.refusals import refusal, remote_text
from operations.git_and_dvc.remote_settings import remotes_in_use
from pipeline.config.errors import ConfigurationError, PipelineError, cause_of

from dvc.repo import Repo

# The object that the check writes to a remote and removes. It stays if the remote forbids removal.
PROBE, CONTENT = "pipeline-check", b"Written by 'pipeline check' to know that it can be. It may be removed.\n"


def list_remotes() -> str:
    """Check that each remote lists objects, and return their names.

    Raises:
        ConfigurationError: a remote refuses.
        PipelineError: a remote does not answer.
    """
    return _ask_each(_list)


def use_remotes() -> str:
    """Check as `list_remotes` does, and also that each remote takes, gives and removes an object."""
    return _ask_each(_use)


def _ask_each(look: Callable[[Any, Any], str]) -> str:
    remote, answers = "", []
    try:
        with Repo(str(Path.cwd())) as repo:
            for name in remotes_in_use(repo):
                remote = remote_text(repo.config, name)
                objects = repo.cloud.get_remote_odb(name)
                answers.append(f"{remote} {look(objects, _impatient(objects.fs))}")
        return "; ".join(answers)
    except sqlite3.Error:
        # An error of DVC's local database, such as a full disk, is not an error of the remote.
        return "not asked"
    except ConfigurationError:
        raise
    except Exception as error:
        if why := refusal(error, remote):
            raise ConfigurationError(why) from error
        if isinstance(error, PermissionError):
            why = f"the DVC remote {remote} refuses access: grant it, or correct its url"
            raise ConfigurationError(why) from None
        raise PipelineError(
            f"{remote} cannot be used ({cause_of(error)}): start its server, or correct its settings ('dvc "
            "remote modify')"
        ) from error


def _list(objects: Any, files: Any) -> str:
    """List only DVC's folder: the bucket may hold millions of other objects, or forbid listing them.

    A missing folder is fine: nothing was pushed yet.

    Raises:
        ConfigurationError: there is no such bucket.
    """
    if objects.fs.protocol == "local":
        return "is a folder"
    bucket = objects.path.split("/")[0]
    try:
        files.ls(objects.path, refresh=True)
    except FileNotFoundError:
        try:
            with suppress(PermissionError):
                files.info(bucket, refresh=True)
        except FileNotFoundError:
            raise ConfigurationError(
                f"there is no bucket {bucket}: make it, or correct the remote's url"
            ) from None
    return "lists"


def _use(objects: Any, files: Any) -> str:
    if objects.fs.protocol == "local":
        check_writable("DVC remote", Path(objects.path))
        return "is a folder that can be written"
    _list(objects, files)
    path = f"{objects.path.rpartition('/files/')[0] or objects.path}/{PROBE}"
    files.pipe_file(path, CONTENT)
    # A check that runs at the same time may have removed the object.
    with suppress(FileNotFoundError):
        files.cat_file(path)
    try:
        with suppress(FileNotFoundError):
            files.rm_file(path)
    except PermissionError:
        return f"lists, takes and gives; {path} stays, since nothing may be removed"
    return "lists, takes and gives"


def _impatient(remote: Any) -> Any:
    """Return a remote's file system such that S3 is asked once.

    boto repeats a request up to four times, with random pauses of up to 15 s together. A check waits for
    less, and would then report only that there is no answer. Pushes use the remote's own file system.
    """
    if remote.protocol != "s3":
        return remote.fs
    options = dict(remote.fs.storage_options)
    options["config_kwargs"] = {**options.get("config_kwargs", {}), "retries": {"max_attempts": 0}}
    files = type(remote.fs)(**options, skip_instance_cache=True)
    files.retries = 1
    return files


def check_writable(name: str, folder: Path) -> Path:
    """Check that a folder can be written or created, and return it or its nearest parent that exists.

    Raises:
        ConfigurationError: it cannot.
    """
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not writable(there):
        raise ConfigurationError(f"the {name} {folder} cannot be written: change the rights of {there}")
    return there


def writable(folder: Path) -> bool:
    """Whether this process may create files in a folder."""
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
