"""Which settings keep versions local to a clone, and which make them the team's."""

import re
from collections.abc import Callable

from operations.versions.sharing import unshared
from pipeline.tracking.mlflow_store import PROJECT
from project import Project

import mlflow
import pytest


@pytest.fixture
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A clone as the current folder; all its stores are outside."""
    monkeypatch.chdir(project.root)
    (project.root / ".dvc/config.local").write_text(REMOTE.format(project.root.with_name("data")))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project.root.with_name('mlflow.db')}")
    return project


REMOTE = "[core]\nremote = team\n['remote \"team\"']\nurl = {}\n"


def test_shared_stores_make_team_versions(here: Project) -> None:
    assert unshared() is None


def no_origin(project: Project, _: pytest.MonkeyPatch) -> None:
    project.git("remote", "remove", "origin")


def own_database(project: Project, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")


def no_setting(project: Project, patch: pytest.MonkeyPatch) -> None:
    patch.delenv("MLFLOW_TRACKING_URI")


def own_artifacts(project: Project, patch: pytest.MonkeyPatch) -> None:
    uri = f"sqlite:///{project.root.with_name('mlflow.db')}"
    place = (project.root / "mlartifacts").as_uri()
    mlflow.MlflowClient(uri).create_experiment(PROJECT, artifact_location=place)


def own_remote(project: Project, _: pytest.MonkeyPatch) -> None:
    (project.root / ".dvc/config.local").unlink()


def remote_of_an_output(project: Project, _: pytest.MonkeyPatch) -> None:
    path = project.root / "dvc.yaml"
    line = "      - artifacts/evaluation/plots\n"
    text = path.read_text()
    assert line in text
    path.write_text(text.replace(line, "      - artifacts/evaluation/plots: {remote: local}\n"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (no_origin, "this clone has no Git remote: 'git remote add origin URL'"),
        (own_database, r"the MLflow store lies in this clone \(share it: set MLFLOW_TRACKING_URI"),
        (no_setting, r"the MLflow store lies in this clone \(share it: set MLFLOW_TRACKING_URI"),
        (own_artifacts, r"the artifacts of the MLflow experiment churn-pipeline lie in this clone \(share "),
        (own_remote, r"the DVC remote local lies in this clone \(share it: 'dvc remote modify local"),
        (remote_of_an_output, r"the DVC remote local lies in this clone \(share it: "),
    ],
)
def test_one_store_in_the_clone_keeps_versions_local(
    here: Project,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Project, pytest.MonkeyPatch], None],
    reason: str,
) -> None:
    change(here, monkeypatch)

    found = unshared()

    assert found is not None
    assert found.count(" lies in this clone") + found.count(" lie in ") <= 1
    assert re.match(reason, found)
