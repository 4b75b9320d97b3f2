"""What a retrain does to the checkout that people look at; the run itself is what the scenarios show."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.retraining import transaction
from pipeline.retraining.request import Outcome, Request
from project import Project

OLD_DATA = Request(branch="main", data_from=1)
NEW_DATA = Request(branch="main")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A repository without a remote, in which a run makes the commit of the branch `made` and says so."""
    project = Project(tmp_path)
    project.git("init", "-q", "-b", "main")
    project.git("commit", "-q", "--allow-empty", "-m", "One")
    project.git("switch", "-q", "-c", "made")
    project.git("commit", "-q", "--allow-empty", "-m", "Model version 2")
    project.git("switch", "-q", "main")
    monkeypatch.chdir(tmp_path)
    made = project.git("rev-parse", "made").strip()

    @contextmanager
    def worktree(*_: object) -> Iterator[Path]:
        yield tmp_path

    # The servers and the stages have no part in this.
    monkeypatch.setattr(transaction, "wait_for_servers", lambda *_: None)
    monkeypatch.setattr(transaction, "finish_interrupted", lambda _: [])
    monkeypatch.setattr(transaction, "shared_cache", lambda: tmp_path)
    monkeypatch.setattr(transaction, "throw_away_worktree", worktree)
    monkeypatch.setattr(transaction, "dvc", lambda *_: "")
    outcome = Outcome(state="succeeded", message="version 2 is published", version=2, commit=made)
    monkeypatch.setattr(transaction, "run_in", lambda *_: outcome)
    return project


def test_new_data_brings_the_checkout_forward(checkout: Project) -> None:
    transaction.run(NEW_DATA)

    assert checkout.git("rev-parse", "main") == checkout.git("rev-parse", "made")


def test_old_data_with_a_new_algorithm_leaves_the_branch_where_it_is(checkout: Project) -> None:
    before = checkout.git("rev-parse", "main")

    transaction.run(OLD_DATA)

    assert checkout.git("rev-parse", "main") == before


def test_a_checkout_that_was_switched_meanwhile_is_left_alone(
    checkout: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout.git("switch", "-q", "-c", "feature")
    before = checkout.git("rev-parse", "HEAD")

    transaction.run(NEW_DATA)

    assert checkout.git("rev-parse", "feature") == before
    assert "on another branch than main now" in capsys.readouterr().out


def test_a_run_that_failed_after_its_push_ends_with_the_version_it_had_pushed(
    checkout: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Outcome(state="succeeded", message="version 2 is published", version=2)
    finished: list[list[Outcome]] = [[], [whole]]

    def fail(*_: object) -> Outcome:
        raise PipelineError("the process died")

    monkeypatch.setattr(transaction, "run_in", fail)
    monkeypatch.setattr(transaction, "finish_interrupted", lambda _: finished.pop(0))

    assert transaction.run(NEW_DATA) == whole


def test_a_run_that_failed_before_its_push_has_failed(
    checkout: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Outcome:
        raise PipelineError("the process died")

    monkeypatch.setattr(transaction, "run_in", fail)

    with pytest.raises(PipelineError, match="the process died"):
        transaction.run(NEW_DATA)
