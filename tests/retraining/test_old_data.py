"""The lock that names an older version's data."""

from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.retraining.old_data import lock_data_of
from project import Project


@pytest.mark.parametrize("lock", ["", "stages:\n<<<<<<< HEAD\n  ingestion: {}\n", "schema: '2.0'\n"])
def test_a_lock_that_is_none_is_said_to_be_that(
    lock: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path)
    (tmp_path / "dvc.lock").write_text("stages: {ingestion: {}, validation: {}, transformation: {}}\n")
    project.git("init", "-q")
    project.git("add", "-A")
    project.git("commit", "-qm", "One")
    (tmp_path / "dvc.lock").write_text(lock)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(PipelineError, match=r"^dvc\.lock, as it is committed, is no lock: "):
        lock_data_of("HEAD")
