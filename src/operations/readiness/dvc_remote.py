"""Whether DVC's remotes list, take and give objects."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from operations.git_and_dvc.refusals import refusal, remote_name
from operations.git_and_dvc.remote_settings import remotes_in_use
from pipeline.config.errors import ConfigurationError
from pipeline.tracking.lineage import without_credentials

from dvc.repo import Repo

# What is written to a remote, and removed, to know that it can be; it stays where nothing may be removed.
PROBE, CONTENT = "pipeline-check", b"Written by 'pipeline check' to know that it can be. It may be removed.\n"


def list_remotes() -> str:
    """Ask each remote for what it lists, and return their names.

    Raises:
        ConfigurationError: one refuses it.
    """
    return _ask_each(_list)


def use_remotes() -> str:
    """Let each remote list, take, give back and remove an object, and return their names.

    Raises:
        ConfigurationError: one refuses it.
    """
    return _ask_each(_use)


def _ask_each(look: Callable[[Any], str]) -> str:
    try:
        with Repo(str(Path.cwd())) as repo:
            answers = []
            for name in remotes_in_use(repo):
                objects = repo.cloud.get_remote_odb(name)
                url = without_credentials(str(repo.config["remote"][name]["url"]))
                answers.append(f"{name} ({url}) {look(objects)}")
            return "; ".join(answers)
    except sqlite3.Error:
        # Of what DVC notes here: the disk is full, say. That is not the remote's, and not to be waited for.
        return "not asked"
    except ConfigurationError:
        raise
    except Exception as error:
        if why := refusal(error):
            raise ConfigurationError(why) from error
        if isinstance(error, PermissionError):
            why = f"{remote_name()} refuses access: grant it, or correct its url"
            raise ConfigurationError(why) from None
        raise


def _list(objects: Any) -> str:
    """List DVC's folder alone: the bucket may hold millions of other things, and not be ours to list.

    Raises:
        ConfigurationError: there is no such bucket; without the folder, nothing was pushed yet.
    """
    if objects.fs.protocol == "local":
        return "is a folder"
    files, bucket = objects.fs.fs, objects.path.split("/")[0]
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


def _use(objects: Any) -> str:
    if objects.fs.protocol == "local":
        return _folder(Path(objects.path))
    _list(objects)
    files, path = objects.fs.fs, f"{objects.path.rpartition('/files/')[0] or objects.path}/{PROBE}"
    files.pipe_file(path, CONTENT)
    # Another one may have removed it by now: then it is not refused, either.
    with suppress(FileNotFoundError):
        files.cat_file(path)
    try:
        with suppress(FileNotFoundError):
            files.rm_file(path)
    except PermissionError:
        return f"lists, takes and gives; {path} stays, since nothing may be removed"
    return "lists, takes and gives"


def _folder(folder: Path) -> str:
    """Look whether a folder can be written, or made: nothing is."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not writable(there):
        raise ConfigurationError(f"the DVC remote {folder} cannot be written: change the rights of {there}")
    return "is a folder that can be written"


def writable(folder: Path) -> bool:
    """Whether this process may make something in a folder."""
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
