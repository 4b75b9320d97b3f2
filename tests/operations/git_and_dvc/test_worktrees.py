"""Throw-away worktrees, and the settings of DVC in them."""

import shutil

from operations.git_and_dvc.dvc_repository import dvc_repository
from operations.git_and_dvc.worktrees import cache_of, shared_cache, throw_away_worktree
from project import Project

import pytest


def test_path_that_is_not_ascii(ready: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    root = ready.root.with_name("zweite Kopie é")
    shutil.copytree(ready.root, root, symlinks=True)
    monkeypatch.chdir(root)

    for cache in (shared_cache(), None):
        with throw_away_worktree("HEAD", cache) as folder, dvc_repository("status", folder) as repo:
            assert repo.cache.local.path == str((cache or cache_of(folder)) / "files/md5")
            assert repo.cloud.get_remote_odb().path == str(root / "dvc-remote/files/md5")
