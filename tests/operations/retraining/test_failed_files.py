"""The files that explain a failed stage are kept."""

from pathlib import Path

from operations.retraining import failed_files

import pytest


def test_error_names_the_kept_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_files, "stores_root", lambda: tmp_path / "root")
    lines = tmp_path / "worktree/artifacts/rejected/validation.jsonl"
    lines.parent.mkdir(parents=True)
    lines.write_text("{}\n")

    message = failed_files.keep(tmp_path / "worktree", "validation: all of them are in artifacts/rejected/")

    place = Path(message.rpartition(" ")[2])
    assert (
        message == f"validation: all of them are in {place}/rejected/; what the run found is kept in {place}"
    )
    assert (place / "rejected/validation.jsonl").read_text() == "{}\n"
