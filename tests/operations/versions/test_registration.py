"""The version numbers of MLflow and of Git tags, and tags of other MLflows."""

from pathlib import Path

from operations.versions.pushing import next_number
from operations.versions.registration import finish_registrations, register, unfinished, unregistered
from operations.versions.registry import Registry
from operations.versions.version import LOCAL, TAG, Publication
from pipeline.tracking.lineage import locked_tags
from pipeline.tracking.mlflow_store import PROJECT
from project import Project

import pytest

LOCALLY = {LOCAL: "true"}


@pytest.fixture
def registry(ready: Project, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """An MLflow store with a run and no version; the current folder is a Git repository without a remote."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{ready.root}/mlflow.db")
    monkeypatch.chdir(ready.root)
    ready.git("remote", "remove", "origin")
    return Registry()


def tagged(registry: Registry, number: int, run: str | None = None, **tags: str) -> Publication:
    """Tag a new commit as publishing does."""
    project = Project(Path.cwd())
    project.git("commit", "-q", "--allow-empty", "-m", f"Model version {number}")
    run = run or registry.run_of({"model.md5": locked_tags()["model.md5"]})
    assert run is not None
    tags |= {TAG: f"model-v{number}", "git.commit": project.git("rev-parse", "HEAD").strip()}
    publication = Publication(number, run, tags)
    project.git("tag", "-a", f"model-v{number}", "-m", publication.message())
    return publication


def test_numbers_continue_after_the_model_was_deleted(registry: Registry) -> None:
    for number in (1, 2):
        assert register(registry, tagged(registry, number, **LOCALLY)) == number
        registry.mark_registered(registry.version(number))
    registry.client.delete_registered_model(PROJECT)
    publication = tagged(registry, 3, **LOCALLY)

    assert register(registry, publication) == 3

    (version,) = registry.versions()
    assert version.number == 3
    assert version.tags == publication.tags
    # and a second registration finds it
    assert register(registry, publication) == 3
    assert unregistered(registry) == ([], {})


def test_remains_of_an_interrupted_registration_are_deleted(registry: Registry) -> None:
    register(registry, tagged(registry, 1, **LOCALLY))
    registry.mark_registered(registry.version(1))
    registry.client.delete_registered_model(PROJECT)
    publication = tagged(registry, 2, **LOCALLY)
    assert registry.register(publication) == 1

    finish_registrations(registry)

    assert [(version.number, version.tags[TAG]) for version in registry.versions()] == [(2, "model-v2")]


@pytest.fixture
def team(registry: Registry, tmp_path: Path) -> Registry:
    """The registry of a clone with an origin and shared stores: its versions are the team's."""
    project = Project(Path.cwd())
    project.git("clone", "-q", "--bare", ".", str(tmp_path / "origin.git"))
    project.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    registry.unshared = None
    return registry


def test_foreign_tags_are_named_and_block_nothing(team: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    # Given a tag of another MLflow, one of a trial, one made by hand, and one to be registered
    project = Project(Path.cwd())
    tagged(team, 1, run="0" * 32)
    tagged(team, 2, **LOCALLY)
    project.git("tag", "model-v3")
    publication = tagged(team, 4)
    project.git("push", "-q", "origin", "--tags")
    project.git("tag", "--delete", "model-v1", "model-v2", "model-v3", "model-v4")

    finish_registrations(team)

    warned = [line for line in capsys.readouterr().err.splitlines() if line.startswith("pipeline: ")]
    assert [line.partition(" (")[0] for line in warned] == [
        "pipeline: model-v1",
        "pipeline: the tag model-v2",
        "pipeline: the tag model-v3",
    ]
    for number, line in enumerate(warned, 1):
        assert "(Test, 20" in line
        assert f"'git push --delete origin model-v{number} && git tag --delete model-v{number}'" in line
    assert "was published with another MLflow, and is left out; set MLFLOW_TRACKING_URI to its" in warned[0]
    assert [version.number for version in team.versions()] == [4]
    assert team.versions()[0].tags == publication.tags
    # Their numbers stay taken, and a trial's version does not count as one of this clone.
    assert next_number(team) == 5
    assert project.git("tag", "--list", "model-v2", "local/*") == ""


def test_local_version_has_a_number_free_on_origin(team: Registry) -> None:
    project = Project(Path.cwd())
    tagged(team, 3)
    project.git("push", "-q", "origin", "--tags")
    project.git("tag", "--delete", "model-v3")
    local = Registry()
    assert local.unshared is not None
    assert unfinished() == []

    assert next_number(local) == 4
    # and without origin, one that is free in this clone
    project.git("remote", "set-url", "origin", str(project.root / "nowhere"))
    project.git("tag", "local/model-v4")
    assert next_number(local) == 5


def test_other_versions_do_not_count_as_local(team: Registry) -> None:
    # Given the team's MLflow server with the team's version, one of this clone, one of another clone
    project, elsewhere = Project(Path.cwd()), Registry()
    elsewhere.uri, elsewhere.unshared = "https://mlflow.example.org", "the DVC remote lies in this clone"
    for number, tags in enumerate(({}, LOCALLY, LOCALLY), 1):
        team.register(tagged(team, number, **tags))
    project.git("tag", "--delete", "model-v3")

    assert [version.number for version in team.counting()] == [1]
    assert [version.number for version in elsewhere.counting()] == [2]

    # and a local champion is not compared with the team's versions
    team.make_champion(3)
    assert team.rival() is None
    assert team.keeps_champion() is None
    assert elsewhere.rival() is None
    assert elsewhere.keeps_champion() is None
    team.make_champion(1)
    assert elsewhere.rival() is None
    assert elsewhere.keeps_champion() == team.version(1)
