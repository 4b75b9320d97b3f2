"""What publishing commits of a team's own pipeline, and what it refuses to call a version."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.errors import PipelineError
from pipeline.git import git
from pipeline.versions import publishing
from pipeline.versions.publishing import commit_and_push
from pipeline.versions.recipe import check_workspace, recipe
from pipeline.versions.registry import Registry
from project import Project


@pytest.fixture
def here(ready: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A clone in which a model was made, as the current folder."""
    monkeypatch.chdir(ready.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{ready.root}/mlflow.db")
    ready.git("remote", "remove", "origin")
    return ready


def add_stage(project: Project, path: str, **flags: bool) -> None:
    """Add a stage of the team's own, with one output, and run it."""
    content = YAML().load(project.root / "dvc.yaml")
    content["stages"]["size"] = {
        "cmd": f"mkdir -p $(dirname {path}) && wc -c < artifacts/model/model.joblib > {path}",
        "deps": ["artifacts/model"],
        "outs": [{path: flags}],
    }
    YAML().dump(content, project.root / "dvc.yaml")
    project.dvc("repro", "size")
    project.git("add", "dvc.yaml", "dvc.lock")
    project.git("commit", "-qm", "A stage of our own")


def test_an_output_that_dvc_leaves_to_git_is_committed_with_the_lock(here: Project) -> None:
    add_stage(here, "reports/size.txt", cache=False)

    check_workspace()

    assert recipe() == ["reports/size.txt"]


def test_an_output_that_nobody_would_keep_is_refused(here: Project) -> None:
    add_stage(here, "artifacts/size.txt", cache=False)

    with pytest.raises(PipelineError, match=r"^neither Git nor DVC would keep artifacts/size.txt: "):
        check_workspace()


def test_an_output_that_is_never_pushed_is_refused(here: Project) -> None:
    add_stage(here, "reports/size.txt", push=False)

    with pytest.raises(PipelineError, match=r"^reports/size.txt: with 'push: false' in dvc.yaml"):
        check_workspace()


def test_parameters_that_git_was_told_to_overlook_are_refused(here: Project) -> None:
    here.git("update-index", "--assume-unchanged", "params.yaml")
    here.set(evaluation__threshold=0.4)
    here.dvc("repro")
    here.git("commit", "-qam", "A lock without its parameters")

    with pytest.raises(PipelineError, match=r"overlook how these differ: params.yaml: 'git update-index"):
        check_workspace()


def test_settings_of_dvc_that_the_commit_will_not_name_are_told(
    here: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    check_workspace()
    assert capsys.readouterr().out == ""

    here.dvc("remote", "default", "s3")
    check_workspace()

    assert capsys.readouterr().out.startswith(".dvc/config is not committed: ")


def test_a_push_that_the_system_fails_leaves_no_commit_and_no_tag(
    here: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("cannot allocate memory")

    monkeypatch.setattr(publishing, "push", fail)
    Path("dvc.lock").write_text(Path("dvc.lock").read_text() + "\n")
    before = git("rev-parse", "HEAD")

    with pytest.raises(OSError, match="cannot allocate memory"):
        commit_and_push(Registry(), "run", {}, "main")

    assert git("rev-parse", "HEAD") == before
    assert git("tag") == ""
    assert recipe() == ["dvc.lock"]
