"""DVC in this process: silent, errors in one line, and no state between calls."""

import hashlib
import logging
import shutil
from pathlib import Path

from operations.git_and_dvc.dvc_repository import (
    not_on_remote,
    pull,
    push_data,
    recipe_changed,
    refuse_stale,
    stale,
)
from pipeline.config.errors import PipelineError
from project import Project

import pytest


def test_stage_without_lock_has_nothing_to_fetch(ready: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ready.root)
    text = (ready.root / "dvc.yaml").read_text()
    stage = "stages:\n  new:\n    cmd: echo > new.txt\n    outs: [new.txt]\n"
    (ready.root / "dvc.yaml").write_text(text.replace("stages:\n", stage))

    with pytest.raises(PipelineError, match=r"^new changed since the last run: run 'dvc repro' first$"):
        refuse_stale()


def test_recipe_is_code_parameters_and_packages(ready: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ready.root)
    # In a new worktree, no output exists
    shutil.rmtree("artifacts/features")
    shutil.rmtree("artifacts/raw")
    assert stale()
    assert not recipe_changed()

    for name in ("params.yaml", "src/pipeline/modelling/models.py", "requirements.lock", "dvc.yaml"):
        text = Path(name).read_text()
        changed = {"params.yaml": text.replace("learning_rate: ", "learning_rate: 0.0"), "dvc.yaml": text}
        changed["dvc.yaml"] = text.replace("python src/training.py", "python  src/training.py")
        Path(name).write_text(changed.get(name, f"{text}# changed\n"))
        assert recipe_changed(), name
        Path(name).write_text(text)
    Path("dvc.lock").unlink()
    assert recipe_changed()


def test_push_to_the_remote_of_the_output(ready: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ready.root)
    ready.dvc("remote", "add", "own", str(ready.root.with_name("own")))
    text = (ready.root / "dvc.yaml").read_text()
    assert "      - artifacts/features/train" in text
    (ready.root / "dvc.yaml").write_text(
        text.replace(
            "    outs:\n      - artifacts/features/train",
            "    outs:\n      - artifacts/features/train:\n          remote: own",
        )
    )
    push_data()
    (part,) = (ready.root / "artifacts/features/train").iterdir()
    md5 = hashlib.md5(part.read_bytes()).hexdigest()
    place = Path("files/md5") / md5[:2] / md5[2:]
    (ready.root.with_name("own") / place).unlink()

    push_data()

    assert (ready.root.with_name("own") / place).is_file()
    assert not (ready.root / "dvc-remote" / place).exists()


def test_push_and_missing_data_print_nothing(
    ready: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ready.root)
    handlers = logging.getLogger("dvc").handlers
    assert "artifacts/model/" in not_on_remote()

    push_data()

    assert not_on_remote() == []
    assert stale() == {}
    # Given a file of a folder that is missing on the remote, which has the folder's list
    (part,) = (ready.root / "artifacts/features/train").iterdir()
    md5 = hashlib.md5(part.read_bytes()).hexdigest()
    (ready.root / "dvc-remote/files/md5" / md5[:2] / md5[2:]).unlink()
    assert not_on_remote() == [f"artifacts/features/train/{part.name}"]
    push_data()
    assert not_on_remote() == []
    # Given an object that is neither in the cache nor on the remote
    ready.run("rm", "-r", ".dvc/cache/files", "dvc-remote/files", "artifacts/model")
    assert not_on_remote()
    assert "training" in stale()
    with pytest.raises(PipelineError, match=r"^dvc pull: .*model: is it the remote that it was pushed to\?$"):
        pull("training")
    with pytest.raises(
        PipelineError, match=r"^what the lock names is not here: .*: 'dvc pull' fetches it, 'dvc repro'"
    ):
        refuse_stale()
    assert capfd.readouterr() == ("", "")
    # and DVC's own output is enabled again
    assert logging.getLogger("dvc").handlers is handlers
