"""Throw-away worktrees: temporary checkouts of a commit, so that a killed run leaves no damage."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from operations.git_and_dvc.dvc_remotes import is_folder, remotes_here
from operations.git_and_dvc.dvc_repository import dvc_repository, plain_dvc_errors
from operations.git_and_dvc.git import SETTINGS, git, settings_changed

import psutil
from dvc.config import Config

# On the file system of the DVC cache. Git and DVC ignore this folder.
PLACE, PREFIX = Path(".dvc/tmp"), "worktree-"
NO_HOOKS = ("-c", "core.hooksPath=/dev/null")


def sweep() -> None:
    """Remove the worktrees that a killed run left, and kill the processes in them.

    The caller must hold the repository's lock.
    """
    left = [folder.resolve() for folder in PLACE.glob(f"{PREFIX}*")]
    killed = []
    for process in psutil.process_iter() if left else ():
        with suppress(psutil.Error, OSError):
            cwd = Path(process.cwd())
            if any(cwd.is_relative_to(folder) for folder in left):
                process.kill()
                killed.append(process)
    psutil.wait_procs(killed, timeout=5)
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
    git("worktree", "prune")


@contextmanager
def throw_away_worktree(commit: str, cache: Path | None = None) -> Iterator[Path]:
    """Yield a worktree of a commit, with this checkout's DVC settings, and remove it afterwards.

    For a new run, it uses the DVC cache `cache` and the remotes of its commit. To restore an old commit, pass
    no cache: then it uses today's remotes and an empty cache beside it (`cache_of`).
    """
    local = Path(".dvc/config.local")
    sweep()
    PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=PREFIX, dir=PLACE.resolve(), ignore_cleanup_errors=True
    ) as temporary:
        folder = Path(temporary) / "worktree"
        try:
            # Without hooks: DVC's post-checkout hook would run before the worktree's cache is set.
            git(*NO_HOOKS, "worktree", "add", "--quiet", "--detach", str(folder), commit)
            if local.exists():
                (folder / local).write_bytes(local.read_bytes())
            if cache is None or settings_changed():
                (folder / SETTINGS).write_bytes(Path(SETTINGS).read_bytes())
            settle(folder, cache)
            yield folder
        finally:
            git("worktree", "remove", "--force", str(folder), check=False)


def cache_of(folder: Path) -> Path:
    """Return the folder of a throw-away worktree's own DVC cache."""
    return folder.with_name("cache")


def site_cache_of(folder: Path) -> str:
    """Return the site cache folder of a throw-away worktree. DVC's default one is never cleaned up."""
    return str(folder.with_name("site-cache"))


def shared_cache() -> Path:
    """Return the DVC cache of the checkout in the current folder."""
    with dvc_repository("cache dir") as repo:
        return Path(repo.cache.local_cache_dir).resolve()


def settle(folder: Path, cache: Path | None) -> None:
    """Set a worktree's cache, and set its remotes that are folders to the folders of this checkout."""
    here = remotes_here()["remote"]
    with plain_dvc_errors("config"):
        settings = Config(str(folder / ".dvc"))
        with settings.edit("local") as config:
            # Relative paths: DVC cannot write non-ASCII characters, which the clone's path may have.
            config["cache"]["dir"] = os.path.relpath(cache or cache_of(folder))
            # Without autostage, DVC prints advice to add the lock to Git, which publishing does.
            config["core"]["autostage"] = True
            for name, remote in here.items():
                if is_folder(remote) and is_folder(settings["remote"].get(name, remote)):
                    config["remote"].setdefault(name, {})["url"] = os.path.relpath(remote["url"])
