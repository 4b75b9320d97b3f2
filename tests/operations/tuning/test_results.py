"""The scores of folds survive a kill, also during the write of a line."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from operations.tuning import results
from operations.tuning.results import Folds

import pytest


def test_half_written_line_is_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[tuple[float, int]] = []

    def score(_setting: Any, block: dict[str, Any], repeat: int, fold: int) -> dict[str, float] | str:
        computed.append((block["a"], fold))
        cannot = block["a"] == 2 and fold == 1
        return "cannot be fitted: é" if cannot else {"roc_auc": fold / 10, "log_loss": fold / 10}

    monkeypatch.setattr(results, "fold_scores", score)
    setting: Any = None
    path, pool = tmp_path / "study.jsonl", ThreadPoolExecutor(1)
    good, bad = {"a": 1, "b": None}, {"a": 2, "b": None}
    folds = Folds(setting, path, pool)
    assert folds.evaluate([good, bad]) == [pytest.approx(0.2), None]
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])

    again = Folds(setting, path, pool)

    assert len(again) == 9
    assert again.evaluate([{"b": None, "a": 1}, bad]) == folds.evaluate([good, bad])
    assert again.failure(bad) == "cannot be fitted: é"
    assert again.scores(good, "log_loss", [0]).tolist() == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert path.read_bytes() == whole
    assert len(computed) == 11
