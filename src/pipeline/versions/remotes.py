"""Where old data is kept today: an old commit names the DVC remotes of its time, which may have moved."""

from pathlib import Path
from typing import Any

from dvc.api import DVCFileSystem
from dvc.repo import Repo


def remotes_here() -> dict[str, Any]:
    """Return the part of DVC's settings that names the remotes of this checkout, folders as whole paths."""
    with Repo() as repo:
        found = {name: dict(remote) for name, remote in repo.config["remote"].items()}
        core = {"remote": repo.config["core"]["remote"]} if "remote" in repo.config["core"] else {}
    for remote in found.values():
        if "://" not in remote["url"]:
            remote["url"] = str(Path(remote["url"]).resolve())
    return {"core": core, "remote": found}


def files_of(commit: str | None) -> DVCFileSystem:
    """Return the files that DVC keeps of a commit (None: the workspace), from the cache or today's remote."""
    return DVCFileSystem(str(Path.cwd()), rev=commit, config=remotes_here() if commit else None)
