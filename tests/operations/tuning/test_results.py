"""The scores of folds survive a kill, also during the write of a line."""

from pathlib import Path

from operations.tuning.results import Results


def test_half_written_line_is_computed_again(tmp_path: Path) -> None:
    path = tmp_path / "tuning/study.jsonl"
    results = Results(path)
    results.add({"a": 1, "b": None}, 0, 0, {"roc_auc": 0.1 + 0.2})
    results.add({"b": None, "a": 1}, 0, 1, "cannot be fitted: é")
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:9])

    again = Results(path)
    again.add({"a": 1, "b": None}, 0, 2, {"roc_auc": 0.5})

    assert len(Results(path)) == 3
    assert again.get({"b": None, "a": 1}, 0, 0) == {"roc_auc": 0.1 + 0.2}
    assert again.get({"a": 1, "b": None}, 0, 1) == "cannot be fitted: é"
    assert again.get({"a": 1.5, "b": None}, 0, 1) is None
    assert path.read_bytes().startswith(whole)
