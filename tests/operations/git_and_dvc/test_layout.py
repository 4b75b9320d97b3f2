"""Repository layouts that commands refuse in one line, since their versions would be incomplete."""

import shutil
from pathlib import Path

from operations.git_and_dvc.git import check_layout
from pipeline.config.errors import ConfigurationError
from project import Project

import pytest


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A repository with one commit, as the working directory."""
    project = Project(tmp_path / "one")
    project.root.mkdir()
    project.git("init", "-q", "-b", "main")
    project.git("commit", "-q", "--allow-empty", "-m", "One")
    project.git("config", "uploadpack.allowFilter", "true")
    monkeypatch.chdir(project.root)
    return project


def test_clone_and_worktree_are_accepted(repository: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    check_layout()
    repository.git("worktree", "add", "-q", "../worktree")
    monkeypatch.chdir(repository.root.with_name("worktree"))
    check_layout()
    monkeypatch.chdir(repository.root.parent)
    check_layout()


def test_a_folder_of_a_larger_repository_is_refused(
    repository: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository.root / "models/churn").mkdir(parents=True)
    monkeypatch.chdir(repository.root / "models/churn")

    with pytest.raises(ConfigurationError, match="the folder models/churn of a larger Git repository"):
        check_layout()


def test_a_submodule_is_refused(repository: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Project(repository.root.with_name("whole"))
    shutil.copytree(repository.root, whole.root)
    whole.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repository.root), "part")
    monkeypatch.chdir(whole.root / "part")

    with pytest.raises(ConfigurationError, match="a Git submodule"):
        check_layout()


def test_a_partial_clone_is_refused(repository: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    url, partial = f"file://{repository.root}", repository.root.with_name("partial")
    repository.git("clone", "-q", "--filter=blob:none", url, str(partial))
    monkeypatch.chdir(partial)

    with pytest.raises(ConfigurationError, match="partial clone"):
        check_layout()


def test_a_command_refuses_before_it_does_anything(ready: Project) -> None:
    ready.git("config", "remote.origin.promisor", "true")

    done = ready.run("pipeline", "gc", check=False)

    assert done.returncode == 2
    assert done.stderr == ("pipeline: DVC cannot read a partial clone: clone without --filter\n")


def test_gc_refuses_a_shared_cache(ready: Project) -> None:
    shared = ready.root.with_name("shared-cache")
    shutil.move(ready.root / ".dvc/cache", shared)
    ready.dvc("cache", "dir", "--local", str(shared))
    ready.dvc("push")
    before = sorted(shared.rglob("*"))

    done = ready.run("pipeline", "gc", check=False)

    assert done.returncode == 2
    assert f"the DVC cache {shared} lies outside this clone" in done.stderr
    assert sorted(shared.rglob("*")) == before
    assert "nothing was deleted" in ready.run("pipeline", "gc", "--dry").stdout
