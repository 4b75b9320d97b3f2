"""The summary in the terminal: scores beside those of the last commit, and never an error."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from pipeline.data.artifacts import METRICS
from pipeline.reporting import summary
from pipeline.reporting.summary import print_summary
from pipeline.reporting.texts import TITLES

import pytest

SCORES: dict[str, Any] = dict.fromkeys(TITLES, 0.8) | {"rows": 1195, "threshold": 0.31}
VALIDATION = {"read": 6000, "accepted": 5990}


def committed(folder: Path, cache: str, metrics: dict[str, Any]) -> None:
    """Commit a lock that names `metrics`, and write them to a DVC cache."""
    content = json.dumps(metrics).encode()
    md5 = hashlib.md5(content).hexdigest()
    kept = folder / cache / "files/md5" / md5[:2] / md5[2:]
    kept.parent.mkdir(parents=True)
    kept.write_bytes(content)
    lock = {"stages": {"evaluation": {"outs": [{"path": str(METRICS), "md5": md5}]}}}
    (folder / "dvc.lock").write_text(json.dumps(lock))
    for words in (("init", "-q"), ("add", "dvc.lock"), ("commit", "-qm", "A model")):
        subprocess.run(["git", *words], cwd=folder, check=True)


def test_each_score_has_its_change_since_the_last_commit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    committed(tmp_path, ".dvc/cache", SCORES | {"roc_auc": 0.79})

    print_summary(SCORES, VALIDATION, good=True)

    scores, rows, report, following = capsys.readouterr().out.splitlines()
    assert scores.startswith("evaluation: ROC AUC 0.8000 (+0.0100), Average precision 0.8000 (same), ")
    assert rows == "evaluation: 6,000 documents read, 10 rejected; 1,195 test rows, threshold 0.31"
    assert report == "evaluation: report: artifacts/evaluation/report.html"
    assert "'pipeline publish' publishes the model" in following

    # A model that fails the stage must not be published.
    print_summary(SCORES, VALIDATION, good=False)
    assert "pipeline publish" not in capsys.readouterr().out


def test_summary_finds_another_cache(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    committed(tmp_path, "shared", SCORES)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("['remote \"s3\"']\n    url = s3://bucket/100%\n")
    (tmp_path / ".dvc/config.local").write_text("[cache]\n    dir = ../shared\n")

    print_summary(SCORES, VALIDATION, good=True)

    assert "ROC AUC 0.8000 (same)" in capsys.readouterr().out


def test_a_terminal_shows_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(tmp_path, ".dvc/cache", SCORES | {"roc_auc": 0.79})
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    print_summary(SCORES, VALIDATION, good=True)

    lines = capsys.readouterr().out.splitlines()
    assert any("ROC AUC" in line and "0.8000" in line and "0.7900" in line for line in lines)


@pytest.mark.parametrize("lock", [None, "not: [a lock", "stages: 3"])
def test_summary_never_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lock: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lock is not None:
        committed(tmp_path, ".dvc/cache", {})
        (tmp_path / "dvc.lock").write_text(lock)
        subprocess.run(["git", "commit", "-qam", "A lock"], cwd=tmp_path, check=True)

    print_summary(SCORES, VALIDATION, good=True)

    text = capsys.readouterr().out
    assert "no scores of the last commit in the cache" in text or "no summary (" in text


def test_summary_in_a_worktree_gives_no_advice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "stores_root", lambda: Path("/elsewhere"))

    print_summary(SCORES, VALIDATION, good=True)

    assert "next:" not in capsys.readouterr().out
