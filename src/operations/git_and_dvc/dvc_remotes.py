"""Reads the data of commits from today's DVC remotes: an old commit may name remotes that have moved."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from operations.git_and_dvc.dvc_repository import dvc_repository, plain_dvc_errors

from dvc.api import DVCFileSystem


def remotes_here() -> dict[str, Any]:
    """Return the DVC settings that name the remotes of this checkout, with absolute paths of folders."""
    with dvc_repository("remote list") as repo:
        remotes = {name: dict(remote) for name, remote in repo.config["remote"].items()}
        core = {"remote": repo.config["core"]["remote"]} if "remote" in repo.config["core"] else {}
    for remote in remotes.values():
        if is_folder(remote):
            remote["url"] = str(Path(remote["url"]).resolve())
    return {"core": core, "remote": remotes}


def remotes_in_use() -> dict[str, str]:
    """Return the URL of each remote that stores outputs of the pipeline, by name."""
    here = remotes_here()
    with dvc_repository("remote list") as repo:
        names = {out.remote or here["core"].get("remote") for out in repo.index.outs if out.use_cache}
    return {name: remote["url"] for name, remote in here["remote"].items() if name in names}


def is_folder(remote: dict[str, Any]) -> bool:
    """Whether a remote is a folder on this machine."""
    return "://" not in remote["url"]


@contextmanager
def files_of(commit: str | None) -> Iterator[DVCFileSystem]:
    """Yield the files that DVC tracks in a commit (None: the workspace), from the cache or today's remote.

    Raises:
        PipelineError: neither has them.
    """
    with plain_dvc_errors("get"):
        files = DVCFileSystem(str(Path.cwd()), rev=commit)
        if commit:
            here = remotes_here()
            files.repo.config["core"].update(here["core"])
            # Replace the old settings instead of merging: a setting removed since must not remain.
            files.repo.config["remote"] = here["remote"]
        yield files
