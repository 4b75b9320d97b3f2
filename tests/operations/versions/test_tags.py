"""Tags of local and of team versions, and Git's own commands in a clone with both."""

from pathlib import Path

from operations.versions.tags import local_tags, make_tag, move_aside, tag_here
from operations.versions.version import LOCAL, Publication, Version
from project import Project

import pytest


@pytest.fixture
def origin(tmp_path: Path) -> Project:
    """A bare repository with one commit, and its clones `team` and `trial`, the current folder."""
    project = Project(tmp_path)
    project.git("init", "-q", "--bare", "-b", "main", "origin.git")
    for name in ("team", "trial"):
        project.git("clone", "-q", "origin.git", name)
    team = Project(tmp_path / "team")
    team.git("commit", "-q", "--allow-empty", "-m", "One")
    team.git("push", "-q", "origin", "HEAD:main")
    Project(tmp_path / "trial").git("pull", "-q", "origin", "main")
    return Project(tmp_path / "origin.git")


@pytest.fixture
def trial(origin: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A clone with the local version 1."""
    project = Project(origin.root.with_name("trial"))
    monkeypatch.chdir(project.root)
    make(project, local=True)
    return project


def make(project: Project, local: bool) -> str:
    """Tag a clone's commit as version 1, and return the commit."""
    commit = project.git("rev-parse", "HEAD").strip()
    tags = {"git.commit": commit} | ({LOCAL: "true"} if local else {})
    if local:
        make_tag(Publication(1, "run", tags), "model-v1", commit)
    else:
        project.git("tag", "-a", "model-v1", "-m", Publication(1, "run", tags).message())
    return commit


def publish(origin: Project) -> None:
    """Push a version 1 of the team."""
    team = Project(origin.root.with_name("team"))
    team.git("commit", "-q", "--allow-empty", "-m", "Two")
    make(team, local=False)
    team.git("push", "-q", "--follow-tags", "origin", "HEAD:main")


def test_manual_fetch_loses_no_tag(origin: Project, trial: Project) -> None:
    before = trial.git("rev-parse", "model-v1")
    publish(origin)

    trial.git("pull", "-q", "origin", "main")
    trial.git("fetch", "-q")
    trial.git("fetch", "-q", "--tags")
    trial.git("fetch", "-q", "--prune", "--prune-tags")

    assert trial.git("rev-parse", "model-v1") == before


def test_moved_tag_is_found(origin: Project, trial: Project) -> None:
    commit = trial.git("rev-parse", "model-v1^{commit}").strip()
    version = Version(1, "", {"git.commit": commit, LOCAL: "true"}, champion=False)
    assert local_tags() == {"model-v1": commit}
    assert tag_here(version) == "model-v1"

    move_aside(local_tags())

    assert local_tags() == {}
    assert tag_here(version) == "local/model-v1"
    publish(origin)
    trial.git("config", "--unset-all", "remote.origin.fetch", r"^\^")
    trial.git("fetch", "-q", "--tags")
    assert local_tags() == {}
    assert tag_here(version) == "local/model-v1"


def test_tag_is_kept_if_its_new_name_is_taken(trial: Project) -> None:
    first = trial.git("rev-parse", "model-v1").strip()
    move_aside(["model-v1"])
    trial.git("commit", "-q", "--allow-empty", "-m", "Another")
    make(trial, local=True)
    second = trial.git("rev-parse", "model-v1").strip()

    move_aside(["model-v1"])

    names = trial.git("for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/tags").splitlines()
    assert set(names) == {f"{first} local/model-v1", f"{second} local/model-v1-{second[:10]}"}
