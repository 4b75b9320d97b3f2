"""Throw-away worktrees: a commit's files in a folder of their own, where killing a run costs nothing."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from pipeline.dvc_process import dvc
from pipeline.git import git

# On the file system of the DVC cache, and ignored by Git and DVC.
PLACE, PREFIX = Path(".dvc/tmp"), "worktree-"


def sweep() -> None:
    """Remove the worktrees that a killed run left, and end what still runs in them.

    Only who holds the repository's lock may call it.
    """
    left = [folder.resolve() for folder in PLACE.glob(f"{PREFIX}*")]
    if left:
        end_processes_in(left)
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
    git("worktree", "prune")


def end_processes_in(folders: list[Path]) -> None:
    """Kill the processes whose working directory lies in one of the folders."""
    found = []
    for process in psutil.process_iter():
        try:
            place = Path(process.cwd())
        except (psutil.Error, OSError):
            continue
        if any(place.is_relative_to(folder) for folder in folders):
            process.kill()
            found.append(process)
    psutil.wait_procs(found, timeout=5)


@contextmanager
def throw_away_worktree(commit: str, cache: Path | None = None) -> Iterator[Path]:
    """Yield a worktree of a commit, with this checkout's DVC settings; it is gone afterwards.

    It has an empty DVC cache of its own beside it (`cache_of`), or uses the one named by `cache`.
    """
    local = Path(".dvc/config.local")
    sweep()
    PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=PREFIX, dir=PLACE.resolve(), ignore_cleanup_errors=True
    ) as temporary:
        folder = Path(temporary) / "worktree"
        git("worktree", "add", "--quiet", "--detach", str(folder), commit)
        try:
            if local.exists():
                (folder / local).write_bytes(local.read_bytes())
            settle_remotes(folder)
            dvc("--cd", str(folder), "cache", "dir", "--local", str(cache or cache_of(folder)))
            yield folder
        finally:
            git("worktree", "remove", "--force", str(folder), check=False)


def cache_of(folder: Path) -> Path:
    """Return where a throw-away worktree keeps its own DVC cache."""
    return folder.with_name("cache")


def shared_cache() -> Path:
    """Return the DVC cache of the checkout in the current folder."""
    return Path(dvc("cache", "dir").strip()).resolve()


def settle_remotes(folder: Path) -> None:
    """Let a worktree use the remotes of this checkout, where one is a folder named relative to it."""
    from dvc.repo import Repo

    with Repo() as repo:
        places = {name: str(remote["url"]) for name, remote in repo.config["remote"].items()}
    for name, place in places.items():
        if "://" not in place:
            dvc("--cd", str(folder), "remote", "modify", "--local", name, "url", str(Path(place).resolve()))
