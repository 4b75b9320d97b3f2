"""Which files publishing commits, and what it refuses to publish."""

from pathlib import Path

from operations.git_and_dvc.git import GitError, git, head
from operations.versions import pushing
from operations.versions.pushing import commit_and_push
from operations.versions.recipe import check_workspace, recipe
from operations.versions.registry import Registry
from pipeline.config.errors import PipelineError
from project import Project

import pytest
from ruamel.yaml import YAML


@pytest.fixture
def here(ready: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A clone with a trained model, as the current folder."""
    monkeypatch.chdir(ready.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{ready.root}/mlflow.db")
    ready.git("remote", "remove", "origin")
    return ready


@pytest.fixture
def shared(here: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The clone, whose versions count as the team's wherever its stores are."""
    monkeypatch.setattr(Registry, "unshared", None)
    return here


def test_output_without_cache_or_git_is_refused(here: Project) -> None:
    # Given the team's own stage with an output that DVC does not cache
    content = YAML().load(here.root / "dvc.yaml")
    flags = {"cache": False}
    content["stages"]["size"] = {
        "cmd": "mkdir -p reports && wc -c < artifacts/model/model.joblib > reports/size.txt",
        "deps": ["artifacts/model"],
        "outs": [{"reports/size.txt": flags}],
    }
    YAML().dump(content, here.root / "dvc.yaml")
    here.dvc("repro", "size")
    here.git("commit", "-qam", "A stage of our own")

    check_workspace()
    assert recipe(["reports/size.txt"]) == ["reports/size.txt"]
    assert recipe(["reports"]) == ["reports/size.txt"]

    for ignored in ("reports/", "*.txt"):
        (here.root / ".git/info/exclude").write_text(f"{ignored}\n")
        with pytest.raises(PipelineError, match=r"^neither Git nor DVC would keep reports/size.txt: "):
            check_workspace()

    flags |= {"cache": True, "push": False}
    YAML().dump(content, here.root / "dvc.yaml")
    here.dvc("commit", "--force", "size")
    with pytest.raises(PipelineError, match=r"^reports/size.txt: with 'push: false' in dvc.yaml"):
        check_workspace()


def test_hidden_changes_are_refused(here: Project) -> None:
    here.git("update-index", "--assume-unchanged", "README.md")
    check_workspace()
    (here.root / "README.md").write_text("changed")

    with pytest.raises(
        PipelineError, match=r"^Git is set to ignore changes of README.md: run 'git update-index"
    ):
        check_workspace()


def test_uncommitted_dvc_settings_are_named(here: Project, capsys: pytest.CaptureFixture[str]) -> None:
    check_workspace()
    assert capsys.readouterr().out == ""

    here.dvc("remote", "default", "s3")
    check_workspace()

    assert capsys.readouterr().out.startswith(".dvc/config is not committed: ")


def test_failed_push_leaves_no_commit_and_no_tag(shared: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("cannot allocate memory")

    monkeypatch.setattr(pushing, "push", fail)
    Path("dvc.lock").write_text(Path("dvc.lock").read_text() + "\n")
    before = git("rev-parse", "HEAD")

    with pytest.raises(OSError, match="cannot allocate memory"):
        commit_and_push(Registry(), "run", {}, "main", head())

    assert git("rev-parse", "HEAD") == before
    assert git("tag") == ""
    assert recipe([]) == ["dvc.lock"]


def test_interrupted_push_leaves_no_commit_and_no_tag(shared: Project) -> None:
    here = shared
    # Given a remote that answers before the push, and not after it
    here.git("clone", "-q", "--bare", ".", "../remote.git")
    here.git("remote", "add", "origin", str(here.root.with_name("remote.git")))
    hook = here.root / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\nmv ../remote.git ../gone\nexit 1\n")
    hook.chmod(0o755)
    Path("dvc.lock").write_text(Path("dvc.lock").read_text() + "\n")
    before = git("rev-parse", "HEAD")

    with pytest.raises(GitError, match=r"^git push: "):
        commit_and_push(Registry(), "run", {}, "main", head())

    assert git("rev-parse", "HEAD") == before
    assert git("tag") == ""


def test_switched_branch_is_not_pushed(here: Project) -> None:
    start = head()
    here.git("switch", "-q", "-c", "unfinished")
    here.git("commit", "-q", "--allow-empty", "-m", "Not for main")
    Path("dvc.lock").write_text(Path("dvc.lock").read_text() + "\n")
    before = head()

    with pytest.raises(PipelineError, match="another branch or commit was checked out meanwhile"):
        commit_and_push(Registry(), "run", {}, "main", start)

    assert head() == before
    assert git("tag") == ""


def test_refused_commit_leaves_nothing_staged(here: Project) -> None:
    hook = here.root / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    Path("dvc.lock").write_text(Path("dvc.lock").read_text() + "\n")
    before = head()

    with pytest.raises(GitError, match=r"^git commit: "):
        commit_and_push(Registry(), "run", {}, "main", before)

    assert head() == before
    assert git("diff", "--cached", "--name-only") == ""


def test_checkout_during_the_push_stays(shared: Project) -> None:
    here = shared
    here.git("clone", "-q", "--bare", ".", "../remote.git")
    here.git("remote", "add", "origin", str(here.root.with_name("remote.git")))
    here.git("branch", "other")
    hook = here.root / ".git/hooks/pre-push"
    theirs = "git switch -q other && git commit -q --allow-empty -m Theirs"
    hook.write_text(f"#!/bin/sh\n{theirs}\nexit 1\n")
    hook.chmod(0o755)
    Path("dvc.lock").write_text(Path("dvc.lock").read_text() + "\n")

    with pytest.raises(GitError, match=r"^git push: "):
        commit_and_push(Registry(), "run", {}, "main", head())

    assert git("log", "--format=%s", "-1", "other") == "Theirs"
