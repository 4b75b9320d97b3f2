"""From trials with each clone's own stores to a team with shared ones; no tag is edited by hand."""

import shutil
from pathlib import Path

from project import Project

import pytest


def member(ready: Project, origin: Path, name: str) -> Project:
    """Return a clone of `origin` with its own stores, in which everything has run."""
    folder = ready.root.with_name(name)
    shutil.copytree(ready.root, folder, symlinks=True)
    project = Project(folder)
    project.git("remote", "set-url", "origin", str(origin))
    project.git("fetch", "-q")
    project.git("branch", "-q", "--set-upstream-to", "origin/main")
    return project


@pytest.mark.long
def test_two_trial_clones_become_a_team(ready: Project, tmp_path: Path) -> None:
    # Given two clones of one origin, each with its own stores and model
    origin = Project(tmp_path / "origin.git")
    ready.git("clone", "-q", "--bare", str(ready.root), str(origin.root))
    one, two = (member(ready, origin.root, name) for name in ("one", "two"))
    before = origin.git("for-each-ref")
    two.set(training__hist_gradient_boosting__max_iter=12)
    two.dvc("repro")

    # When both publish, then each has a local version 1, and origin is unchanged
    for project in (one, two):
        done = project.run("pipeline", "publish").stdout
        assert "version 1 is published; champion" in done
        (line,) = [line for line in done.splitlines() if line.startswith("local version: ")]
        assert "(share it: set MLFLOW_TRACKING_URI)" in line
        assert "the DVC remote local lies in this clone" in line
        assert project.git("tag", "--list") == "model-v1\n"
    assert origin.git("for-each-ref") == before
    listed = one.run("pipeline", "models").stdout
    assert "local versions: 1; the MLflow store " in listed

    # When the stores are shared, then the first clone's model is the team's version 1
    shared = tmp_path / "shared"
    for project in (one, two):
        project.env["MLFLOW_TRACKING_URI"] = f"sqlite:///{shared}/mlflow.db"
    shared.mkdir()
    one.dvc("remote", "modify", "local", "url", str(shared / "dvc"))
    one.git("commit", "-qam", "Share the data")
    done = one.run("pipeline", "publish").stdout
    assert "version 1 is published; champion" in done
    assert "local version" not in done
    assert origin.git("tag", "--list") == "model-v1\n"
    assert one.git("tag", "--list") == "local/model-v1\nmodel-v1\n"
    assert origin.git("rev-parse", "main") == one.git("rev-parse", "model-v1^{commit}")

    # and the second's is version 2; its fetches work although both have a tag of that name
    two.git("fetch", "-q", "--tags")
    two.git("pull", "-q", "--rebase")
    assert "version 2 is published" in two.run("pipeline", "publish").stdout
    assert origin.git("tag", "--list") == "model-v1\nmodel-v2\n"
    assert two.git("tag", "--list") == "local/model-v1\nmodel-v1\nmodel-v2\n"
    assert two.git("rev-parse", "model-v1") == one.git("rev-parse", "model-v1")

    # and after `pipeline gc` both versions can be restored, and so can the trial's version
    two.run("pipeline", "gc", "--cloud")
    drilled = "version 1: restored, every byte as published\nversion 2: restored, every byte as published\n"
    assert two.run("pipeline", "drill").stdout == drilled
    two.env.pop("MLFLOW_TRACKING_URI")
    assert "git checkout local/model-v1 && dvc pull" in two.run("pipeline", "lineage", "1").stdout
    two.git("checkout", "-q", "local/model-v1")
    two.dvc("checkout")
    assert two.dvc("status") == "Data and pipelines are up to date.\n"
