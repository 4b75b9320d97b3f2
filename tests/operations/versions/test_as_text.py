"""Versions as text for people."""

from typing import Any

from operations.versions.as_text import lineage, table

VERSION: dict[str, Any] = {
    "version": 3,
    "created": "2026-11-26T22:59:01+00:00",
    "champion": True,
    "pinned": True,
    "reason": "by rollback on 2026-11-27, pinned: it was better",
    "local": False,
    "commit": "c0ffee0000",
    "tag": "model-v3",
    "data": "da7a.dir",
    "model": "0de1.dir",
    "run": "5ca1ab1e",
    "scores": {"roc_auc": 0.83444},
    "tags": {"data.train.md5": "7ra1.dir", "promoted": "true"},
    "dirty": False,
    "decision": {"promoted": False, "reason": "a slice collapses", "rows": None},
    "verdict": "not promoted",
    "data_from": None,
    "comparison": None,
    "rollback": None,
    "drift": {"champion": 2, "rows": 1200, "champion_rows": 1100},
    "threshold": 0.2658,
    "parameters": {
        "schema.id": "_id",
        "validation.min_rows": "1000",
        "training.algorithm": "random_forest",
        "training.derived_features.ratio": "a / b",
        "training.random_forest.n_estimators": "300",
        "training.logistic_regression.C": "0.05",
    },
    "bring_back": "git checkout model-v3 && dvc pull",
}


def test_lineage_of_a_version() -> None:
    assert "\n".join(lineage(VERSION)).splitlines() == [
        "version      3, the champion",
        "created      2026-11-26T22:59:01+00:00",
        "commit       c0ffee0000",
        "tag          model-v3",
        "raw data     da7a.dir",
        "train data   7ra1.dir",
        "model        0de1.dir",
        "run          5ca1ab1e",
        "scores       roc_auc 0.8344",
        "threshold    0.2658",
        "champion     by rollback on 2026-11-27, pinned: it was better",
        "decision     not promoted: a slice collapses",
        "drift        no drift from version 2",
        "parameters",
        "  validation.min_rows: 1000",
        "  training.algorithm: random_forest",
        "  training.derived_features.ratio: a / b",
        "  training.random_forest.n_estimators: 300",
        "  the schema, and the parameters of other algorithms: --json",
        "bring back   git checkout model-v3 && dvc pull",
    ]


def test_lineage_of_old_data_and_a_rollback() -> None:
    found = VERSION | {
        "champion": False,
        "verdict": "experiment",
        "dirty": True,
        "data_from": 1,
        "comparison": {"reason": "as good as version 1"},
        "rollback": {"at": "2026-01-02T03:04:05+00:00", "replaced": 4, "reason": "it was bad"},
    }

    lines = list(lineage(found))

    assert lines[0] == "version      3"
    assert "data from    version 1" in lines
    assert "dirty        it was evaluated before its parameters or code were committed" in lines
    assert "decision     experiment: a slice collapses" in lines
    assert not any(line.startswith("champion") for line in lines)
    assert "compared     as good as version 1" in lines
    assert "rollback     2026-01-02T03:04:05+00:00, in place of version 4: it was bad" in lines


def test_version_registered_by_hand_is_listed() -> None:
    by_hand = dict.fromkeys(("decision", "commit", "data"))
    by_hand |= {"version": 4, "created": "2026-11-27T00:00:00+00:00", "champion": False, "scores": {}}

    lines = list(table([VERSION | {"decision": "experiment"}, by_hand]))

    row = "3 2026-11-26 champion, pinned experiment c0ffee0000 da7a.dir roc_auc 0.8344"
    assert " ".join(lines[1].split()) == row
    assert lines[2].split() == ["4", "2026-11-27"]
    assert lines[3:] == ["champion: version 3, by rollback on 2026-11-27, pinned: it was better"]
