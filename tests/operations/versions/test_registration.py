"""The numbers of MLflow and of Git's tags, after somebody deleted the registered model."""

from pathlib import Path

from operations.versions.registration import finish_registrations, register, unregistered
from operations.versions.registry import Registry
from operations.versions.version import TAG, Publication
from pipeline.tracking.lineage import locked_tags
from pipeline.tracking.mlflow_store import PROJECT
from project import Project

import pytest


@pytest.fixture
def registry(ready: Project, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """An MLflow store with a run and without a version; its Git repository, without a remote, is here."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{ready.root}/mlflow.db")
    monkeypatch.chdir(ready.root)
    ready.git("remote", "remove", "origin")
    return Registry()


def pushed(registry: Registry, number: int) -> Publication:
    """Tag a new commit as publishing does."""
    project = Project(Path.cwd())
    project.git("commit", "-q", "--allow-empty", "-m", f"Model version {number}")
    run = registry.run_of({"model.md5": locked_tags()["model.md5"]})
    assert run is not None
    tags = {TAG: f"model-v{number}", "git.commit": project.git("rev-parse", "HEAD").strip()}
    publication = Publication(number, run, tags)
    project.git("tag", "-a", f"model-v{number}", "-m", publication.message())
    return publication


def test_numbers_go_on_after_the_registered_model_was_deleted(registry: Registry) -> None:
    for number in (1, 2):
        assert register(registry, pushed(registry, number)) == number
        registry.mark_registered(registry.version(number))
    registry.client.delete_registered_model(PROJECT)
    publication = pushed(registry, 3)

    assert register(registry, publication) == 3

    (version,) = registry.versions()
    assert version.number == 3
    assert version.tags == publication.tags
    # and again it is there already
    assert register(registry, publication) == 3
    assert unregistered(registry) == []


def test_what_an_interrupted_registration_left_under_the_number_of_another_goes(registry: Registry) -> None:
    register(registry, pushed(registry, 1))
    registry.mark_registered(registry.version(1))
    registry.client.delete_registered_model(PROJECT)
    publication = pushed(registry, 2)
    assert registry.register(publication) == 1

    finish_registrations(registry)

    assert [(version.number, version.tags[TAG]) for version in registry.versions()] == [(2, "model-v2")]
