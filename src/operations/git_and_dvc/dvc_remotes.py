"""Where old data is kept today: an old commit names the DVC remotes of its time, which may have moved."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from operations.git_and_dvc.dvc_repository import dvc_repository, plain_dvc_errors
from operations.git_and_dvc.layout import check_worktree

from dvc.api import DVCFileSystem


def remotes_here() -> dict[str, Any]:
    """Return the part of DVC's settings that names the remotes of this checkout, folders as whole paths."""
    with dvc_repository("remote list") as repo:
        remotes = {name: dict(remote) for name, remote in repo.config["remote"].items()}
        core = {"remote": repo.config["core"]["remote"]} if "remote" in repo.config["core"] else {}
    for remote in remotes.values():
        if is_folder(remote):
            remote["url"] = str(Path(remote["url"]).resolve())
    return {"core": core, "remote": remotes}


def remotes_in_use() -> dict[str, str]:
    """Return the remotes that take the outputs of the pipeline, and where each is."""
    here = remotes_here()
    with dvc_repository("remote list") as repo:
        names = {out.remote or here["core"].get("remote") for out in repo.index.outs if out.use_cache}
    return {name: remote["url"] for name, remote in here["remote"].items() if name in names}


def check_remote_stays() -> None:
    """Look whether the default remote outlives this checkout.

    Raises:
        ConfigurationError: it is a folder in a linked worktree.
    """
    here = remotes_here()
    if default := here["remote"].get(here["core"].get("remote")):
        check_worktree(default["url"])


def is_folder(remote: dict[str, Any]) -> bool:
    """Whether a remote is a folder of this machine."""
    return "://" not in remote["url"]


@contextmanager
def files_of(commit: str | None) -> Iterator[DVCFileSystem]:
    """Yield the files that DVC keeps of a commit (None: the workspace), from the cache or today's remote.

    Raises:
        PipelineError: they can be had from neither.
    """
    with plain_dvc_errors("get"):
        files = DVCFileSystem(str(Path.cwd()), rev=commit)
        if commit:
            here = remotes_here()
            files.repo.config["core"].update(here["core"])
            # In place of the old ones: a setting that a remote has no more must not be left.
            files.repo.config["remote"] = here["remote"]
        yield files
