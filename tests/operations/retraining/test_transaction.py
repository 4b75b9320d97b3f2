"""The effect of a retrain on the user's checkout; the scenarios test the run itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from operations.retraining import transaction
from operations.retraining.checkout import UNFINISHED, catch_up, newest
from operations.retraining.request import Outcome, Request
from operations.retraining.stopping import StoppedError, signals_deferred, stoppable
from operations.retraining.transaction import check_committed, finish_interrupted
from pipeline.config.errors import PipelineError
from project import Project

import pytest

OLD_DATA = Request(branch="main", data_from=1)
NEW_DATA = Request(branch="main")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A repository without a remote, in which a run creates the commit of the branch `made`."""
    project = Project(tmp_path)
    project.git("init", "-q", "-b", "main")
    project.git("commit", "-q", "--allow-empty", "-m", "One")
    project.git("switch", "-q", "-c", "made")
    project.git("commit", "-q", "--allow-empty", "-m", "Model version 2")
    project.git("switch", "-q", "main")
    monkeypatch.chdir(tmp_path)
    made, run = project.git("rev-parse", "made").strip(), tmp_path.with_name(f"{tmp_path.name}-run")
    project.git("worktree", "add", "-q", "--detach", str(run), "main")

    @contextmanager
    def worktree(*_: object) -> Iterator[Path]:
        yield run

    # These tests need no servers and no stages.
    monkeypatch.setattr(transaction, "wait_for_servers", lambda *_: None)
    monkeypatch.setattr(transaction, "finish_interrupted", lambda *_: ([], []))
    monkeypatch.setattr(transaction, "check_remotes", lambda: None)
    monkeypatch.setattr(transaction, "room", lambda: "")
    monkeypatch.setattr(transaction, "shared_cache", lambda: tmp_path)
    monkeypatch.setattr(transaction, "throw_away_worktree", worktree)
    monkeypatch.setattr("operations.retraining.checkout.dvc", lambda *_: "")
    (tmp_path / UNFINISHED).parent.mkdir(parents=True)
    (tmp_path / ".git/info/exclude").write_text(".dvc/tmp\n")
    outcome = Outcome(state="succeeded", message="version 2 is published", version=2, commit=made)

    def run_in(folder: Path, _: Request) -> Outcome:
        Project(folder).git("checkout", "-q", "made")
        return outcome

    monkeypatch.setattr(transaction, "run_in", run_in)
    return project


def test_checkout_follows_new_data(checkout: Project) -> None:
    transaction.run(NEW_DATA)

    assert checkout.git("rev-parse", "main") == checkout.git("rev-parse", "made")


def test_outcome_precedes_the_checkout(checkout: Project) -> None:
    outcomes = []

    transaction.run(
        NEW_DATA, on_outcome=lambda outcome: outcomes.append((outcome, checkout.git("rev-parse", "main")))
    )

    ((outcome, head),) = outcomes
    assert outcome.version == 2
    assert head != checkout.git("rev-parse", "main")


def test_next_run_repairs_artifacts(
    checkout: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: str) -> str:
        raise PipelineError("dvc checkout: something is in the way")

    monkeypatch.setattr("operations.retraining.checkout.dvc", fail)
    transaction.run(NEW_DATA)
    assert checkout.git("rev-parse", "main") == checkout.git("rev-parse", "made")
    message = capsys.readouterr().out
    assert "its artifacts do not follow: dvc checkout: something is in the way; move what is yours" in message

    done: list[tuple[str, ...]] = []
    monkeypatch.setattr("operations.retraining.checkout.dvc", lambda *words: done.append(words) or "")
    transaction.run(NEW_DATA)
    transaction.run(NEW_DATA)

    assert done == [("checkout",)]


def test_old_data_leaves_the_branch_unchanged(checkout: Project) -> None:
    before = checkout.git("rev-parse", "main")

    transaction.run(OLD_DATA)

    assert checkout.git("rev-parse", "main") == before


def test_switched_checkout_is_left_alone(checkout: Project, capsys: pytest.CaptureFixture[str]) -> None:
    checkout.git("switch", "-q", "-c", "feature")
    before = checkout.git("rev-parse", "HEAD")

    transaction.run(NEW_DATA)

    assert checkout.git("rev-parse", "feature") == before
    assert "on another branch than main now" in capsys.readouterr().out


def test_failure_after_the_push_keeps_the_version(checkout: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given another clone publishes at the same time
    whole = Outcome(state="succeeded", message="version 3 is published", version=3)
    pushed: list[str] = []

    def run_in(folder: Path, request: Request) -> Outcome:
        if request.finish == "model-v3":
            return whole
        checkout.git("tag", "-a", "model-v2", "made", "-m", "Of another clone")
        Project(folder).git("commit", "-q", "--allow-empty", "-m", "Model version 3")
        Project(folder).git("tag", "-a", "model-v3", "-m", "Its own")
        pushed.extend(["model-v2", "model-v3"])
        raise PipelineError("the process died")

    monkeypatch.setattr(transaction, "finish_interrupted", finish_interrupted)
    monkeypatch.setattr(transaction, "unfinished", lambda: pushed)
    monkeypatch.setattr(transaction, "run_in", run_in)

    assert transaction.run(NEW_DATA) == whole


def edited(checkout: Project, *, remote: bool) -> Project:
    """Commit some files without edits; with `remote`, add a remote."""
    for name in ("params.yaml", "dvc.yaml", "dvc.lock", "README.md", "src/training.py"):
        path = checkout.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one\n")
    checkout.git("add", ".")
    checkout.git("commit", "-qm", "Files")
    if remote:
        remote_of = checkout.root / ".dvc/tmp/remote.git"
        checkout.run("git", "clone", "-q", "--bare", ".", str(remote_of))
        checkout.git("remote", "add", "origin", str(remote_of))
    return checkout


@pytest.mark.parametrize("request_", [NEW_DATA, OLD_DATA, Request(branch="main", keep_data=True)])
def test_uncommitted_edit_is_refused(checkout: Project, request_: Request) -> None:
    edited(checkout, remote=True)
    # Files that no run uses are named, not refused.
    (checkout.root / "README.md").write_text("two\n")
    (checkout.root / "notes.txt").write_text("mine\n")
    assert check_committed(request_) == "README.md, notes.txt"

    used = ["params.yaml", "dvc.yaml", "src/training.py", "src/pipeline/new.py"]
    if not request_.reads_source:
        used.append("dvc.lock")
    for name in used:
        (checkout.root / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout.root / name).write_text("two\n")
        with pytest.raises(PipelineError, match=f"^not committed: {name}: commit or stash it first$"):
            transaction.run(request_)
        checkout.git("add", name)
        checkout.git("commit", "-qm", "Edit")
    # Also if Git is set to ignore changes of it
    checkout.git("update-index", "--assume-unchanged", "params.yaml")
    (checkout.root / "params.yaml").write_text("three\n")
    with pytest.raises(PipelineError, match=r"^not committed: params\.yaml: "):
        transaction.run(request_)


def test_without_a_remote_everything_must_be_committed(checkout: Project) -> None:
    edited(checkout, remote=False)
    (checkout.root / "notes.txt").write_text("mine\n")

    with pytest.raises(PipelineError, match=r"^not committed: notes\.txt: "):
        transaction.run(NEW_DATA)


def test_push_of_another_clone_is_not_credited(checkout: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def run_in(_: Path, request: Request) -> Outcome:
        tried.append(request.finish or "the run")
        checkout.git("tag", "-a", "model-v2", "made", "-m", "Of another clone")
        raise PipelineError("another clone was faster")

    monkeypatch.setattr(transaction, "finish_interrupted", finish_interrupted)
    monkeypatch.setattr(transaction, "unfinished", lambda: ["model-v2"] if tried else [])
    monkeypatch.setattr(transaction, "run_in", run_in)

    with pytest.raises(PipelineError, match="another clone was faster"):
        transaction.run(NEW_DATA)
    assert tried == ["the run"]


def test_failure_before_the_push(checkout: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Outcome:
        raise PipelineError("the process died")

    monkeypatch.setattr(transaction, "run_in", fail)

    with pytest.raises(PipelineError, match="the process died"):
        transaction.run(NEW_DATA)


def test_unfinished_version_blocks_no_other(
    checkout: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_in(_: Path, request: Request) -> Outcome:
        if request.finish == "model-v2":
            raise PipelineError("dvc pull: the data is lost")
        return Outcome(state="succeeded", message="version 3 is published", version=3)

    for name in ("model-v2", "model-v3"):
        checkout.git("tag", "-a", name, "-m", "Not finished")
    monkeypatch.setattr(transaction, "unfinished", lambda: ["model-v2", "model-v3"])
    monkeypatch.setattr(transaction, "run_in", run_in)

    finished, given_up = finish_interrupted("main")

    assert [outcome.version for outcome in finished] == [3]
    assert given_up == ["model-v2"]
    assert capsys.readouterr().err == "pipeline: model-v2 could not be finished: dvc pull: the data is lost\n"


def test_version_of_an_earlier_run_is_not_credited(
    checkout: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an unfinished version of the run's first commit that can be finished only after the run
    checkout.git("tag", "-a", "model-v2", "-m", "Of an earlier run")
    tried: list[str] = []

    def run_in(_: Path, request: Request) -> Outcome:
        tried.append(request.finish or "the run")
        if len(tried) < 3:
            raise PipelineError(f"{tried[-1]} fails")
        return Outcome(state="succeeded", message="version 2 is published", version=2)

    monkeypatch.setattr(transaction, "finish_interrupted", finish_interrupted)
    monkeypatch.setattr(transaction, "unfinished", lambda: ["model-v2"])
    monkeypatch.setattr(transaction, "run_in", run_in)

    with pytest.raises(PipelineError, match="the run fails"):
        transaction.run(NEW_DATA)
    assert tried == ["model-v2", "the run"]


def test_artifacts_stay_with_a_modified_lock(checkout: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a checkout that was killed in a merge, and has no lock
    (checkout.root / "dvc.lock").write_text("stages: {}")
    checkout.git("add", "dvc.lock")
    checkout.git("commit", "-qm", "A lock")
    (checkout.root / UNFINISHED).touch()
    (checkout.root / "dvc.lock").unlink()
    done: list[tuple[str, ...]] = []
    monkeypatch.setattr("operations.retraining.checkout.dvc", lambda *words: done.append(words) or "")

    catch_up()
    assert done == []
    checkout.git("checkout", "-q", "dvc.lock")
    catch_up()

    assert done == [("checkout",)]
    assert not (checkout.root / UNFINISHED).exists()


def test_signal_waits_for_the_checkout() -> None:
    seen = []

    def merge() -> None:
        with stoppable():
            with signals_deferred():
                os.kill(os.getpid(), signal.SIGTERM)
                # A process that starts meanwhile blocks the signal too.
                subprocess.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 15)"], check=True)
                seen.append("whole")
            seen.append("never")

    with pytest.raises(StoppedError):
        merge()
    assert seen == ["whole"]


def test_configuration_error_is_not_retried(ready: Project) -> None:
    ready.read_from("mongo://user:s3cret@nowhere", "crm")
    ready.git("commit", "-qam", "Read our own server")

    done = ready.run("pipeline", "retrain", check=False)

    assert done.returncode == 2
    assert "MONGODB_URI is not a valid MongoDB URI" in done.stderr
    assert "waited" not in done.stdout + done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_newest_commit_is_that_of_the_branch(
    checkout: Project,
) -> None:
    main, made = (checkout.git("rev-parse", name).strip() for name in ("main", "made"))

    # A user switches to another branch while a retrain waits,
    checkout.git("switch", "-q", "made")
    assert newest("main") == main

    # and an editor fetches another branch during the fetch: here a Git hook does so.
    remote = Project(checkout.root.with_name("remote"))
    checkout.run("git", "clone", "-q", "--bare", str(checkout.root), str(remote.root))
    checkout.git("remote", "add", "origin", str(remote.root))
    hook = checkout.root / ".git/hooks/reference-transaction"
    hook.write_text(f"#!/bin/sh\necho {made} > .git/FETCH_HEAD\n")
    hook.chmod(0o755)
    checkout.git("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
    # Another branch name has the same ending.
    remote.git("update-ref", "refs/backup/refs/heads/main", made)
    assert newest("main") == main


def test_new_commit_on_origin_does_not_stop_a_trial(
    checkout: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = Project(checkout.root.with_name("origin-of-a-trial"))
    checkout.run("git", "clone", "-q", "--bare", str(checkout.root), str(remote.root))
    checkout.git("remote", "add", "origin", str(remote.root))
    # Given a commit of a local version here, and another commit on origin
    remote.git("update-ref", "refs/heads/main", checkout.git("rev-parse", "made").strip())
    checkout.git("commit", "-q", "--allow-empty", "-m", "Model version 1")

    monkeypatch.setattr(
        "operations.retraining.checkout.unshared", lambda: "the DVC remote lies in this clone"
    )
    assert newest("main") == checkout.git("rev-parse", "main").strip()

    monkeypatch.setattr("operations.retraining.checkout.unshared", lambda: None)
    with pytest.raises(
        PipelineError, match="main here and on origin have diverged: 'git pull --rebase' first"
    ):
        newest("main")
