"""Throw-away worktrees: a commit's files in a folder of their own, where killing a run costs nothing."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.dvc_process import dvc
from pipeline.git import git


@contextmanager
def throw_away_worktree(commit: str, cache: Path | None = None) -> Iterator[Path]:
    """Yield a worktree of a commit, with this checkout's DVC settings; it is gone afterwards.

    It has an empty DVC cache of its own beside it (`cache_of`), or uses the one named by `cache`.
    """
    local = Path(".dvc/config.local")
    place = Path(".dvc/tmp")
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="worktree-", dir=place.resolve()) as temporary:
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
    for line in dvc("remote", "list").splitlines():
        found = re.fullmatch(r"(\S+)\s+(.*?)(?:\s+\(default\))?\s*", line)
        name, place = found.groups() if found else ("", "://")
        if "://" not in place:
            dvc("--cd", str(folder), "remote", "modify", "--local", name, "url", str(Path(place).resolve()))
