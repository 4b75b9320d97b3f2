"""The comparison of two models: on the same rows, deterministic, and with its reasons."""

import re
from collections.abc import Callable
from typing import Any

from operations.versions.comparison import (
    SLICE_TOLERANCE,
    Decision,
    bootstrap,
    collapses,
    compare,
)
from pipeline.config.contract import Contract

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

CONTRACT = Contract.model_validate(
    {
        "id": "_id",
        "target": {"column": "churned", "positive": True},
        "columns": {
            "signal": {"path": "signal", "type": "number"},
            "region": {"path": "region", "type": "category"},
            "churned": {"path": "churned", "type": "boolean"},
        },
    }
)


class Model:
    """Predicts a column plus noise, and in the region `lost` noise alone."""

    def __init__(self, noise: float, lost: str = "", seed: int = 1) -> None:
        self.noise, self.lost, self.seed = noise, lost, seed

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        random = np.random.default_rng(self.seed).normal(size=len(rows))
        signal = np.where(rows["region"] == self.lost, 0, rows["signal"])
        score = 1 / (1 + np.exp(-(signal + self.noise * random)))
        return np.column_stack([1 - score, score])


@pytest.fixture
def rows() -> pd.DataFrame:
    random = np.random.default_rng(0)
    target = random.integers(0, 2, 2000)
    return pd.DataFrame(
        {
            "_id": [f"C-{number}" for number in range(2000)],
            "signal": target + random.normal(size=2000),
            "region": np.where(np.arange(2000) % 8 == 0, "north", "south"),
            "churned": target,
        }
    )


def decide(challenger: Model, champion: Model, rows: pd.DataFrame, slices: Any = ("region",)) -> Decision:
    return compare(challenger, champion, 7, rows, CONTRACT, slices)


def test_equal_model_is_promoted(rows: pd.DataFrame) -> None:
    decision = decide(Model(0.1), Model(0.1), rows)

    assert decision.promoted
    assert (decision.champion, decision.rows, decision.difference) == (7, 2000, 0)
    assert not decision.measurably_better
    assert decide(Model(0.1), Model(0.1), rows) == decision


def test_champion_with_another_column_type_cannot_be_compared(rows: pd.DataFrame) -> None:
    class OfText(Model):
        def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
            return super().predict_proba(rows.assign(signal=rows["signal"].astype(float)))

    text = rows.assign(signal=rows["signal"].astype(str))

    decision = decide(OfText(0.1), Model(0.1), text)

    assert (decision.promoted, decision.champion, decision.difference) == (False, 7, None)
    assert "version 7 cannot score this holdout (" in decision.reason
    assert "'pipeline rollback'" in decision.reason
    # A new model that cannot score its own rows is an error, not a change of the schema.
    with pytest.raises(TypeError):
        decide(Model(0.1), OfText(0.1), text)


def test_worse_model_is_refused_with_numbers(rows: pd.DataFrame) -> None:
    decision = decide(Model(1.0), Model(0.1), rows)

    assert not decision.promoted
    ours, theirs = decision.challenger_roc_auc, decision.champion_roc_auc
    low, worst, high = decision.difference_low, decision.difference_5_percent, decision.difference_high
    assert low is not None
    assert worst is not None
    assert decision.difference is not None
    assert high is not None
    assert low < worst < decision.difference < high < 0
    assert decision.reason.startswith(
        f"ROC AUC {ours:.4f} vs {theirs:.4f} (version 7), 95 % interval {low:+.4f} to {high:+.4f}; "
        f"it may be {-worst:.4f} lower (95 % confidence), and 0.01 is allowed; log loss 0."
    )


def test_measurably_better_means_beyond_chance(rows: pd.DataFrame) -> None:
    better = decide(Model(0.1), Model(1.0), rows)

    assert better.measurably_better
    assert better.difference_low is not None
    assert better.difference_low > 0
    assert f"95 % interval {better.difference_low:+.4f} to +0." in better.reason
    # A gain by chance is not measurably better, nor is a model that another bound stops
    one, other = Model(0.3, seed=2), Model(0.3)
    chances = [decide(one, other, rows), decide(other, one, rows)]
    assert all(chance.promoted and not chance.measurably_better for chance in chances)
    assert chances[0].difference == -chances[1].difference != 0  # type: ignore[operator]
    stopped = better.stopped("one", "two")
    assert (stopped.promoted, stopped.measurably_better) == (False, False)
    assert stopped.reason == f"{better.reason}; one; two"
    assert better.stopped() == better


def test_better_model_with_a_bad_slice_is_refused(rows: pd.DataFrame) -> None:
    decision = decide(Model(0.0, lost="north"), Model(1.0), rows)

    assert decision.difference is not None
    assert decision.difference > 0
    assert not decision.promoted
    assert "; a slice collapses: region north loses 0." in decision.reason
    assert decide(Model(0.0, lost="north"), Model(1.0), rows, slices=()).promoted


@pytest.mark.parametrize("wrong", [lambda score: score**0.2, lambda score: score / 9])
def test_right_order_with_wrong_probabilities_is_refused(
    wrong: Callable[[np.ndarray], np.ndarray], rows: pd.DataFrame
) -> None:
    class Uncalibrated(Model):
        def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
            score = wrong(super().predict_proba(rows)[:, 1])
            return np.column_stack([1 - score, score])

    decision = decide(Uncalibrated(0.1), Model(0.1), rows)

    assert (decision.promoted, decision.difference) == (False, 0)
    found = re.fullmatch(
        r"ROC AUC (\S+) vs \1 \(version 7\), 95 % interval \+0.0000 to \+0.0000; log loss (\S+) vs (\S+): "
        r"it may be (\S+) higher \(95 % confidence\), and (\S+) is allowed",
        decision.reason,
    )
    assert found
    assert decision.log_loss_difference == pytest.approx(float(found[2]) - float(found[3]), abs=1e-3)
    assert decision.log_loss_difference_95_percent == pytest.approx(float(found[4]), abs=1e-4)
    assert float(found[4]) > float(found[5]) == pytest.approx(0.1 * np.log(2), abs=1e-3)
    # The opposite comparison promotes, and so does a tiny loss.
    assert decide(Model(0.1), Uncalibrated(0.1), rows).promoted
    assert decide(Model(0.2), Model(0.1), rows).promoted


@pytest.mark.parametrize("positives", [3, 14])
def test_slice_worse_by_chance_is_accepted(positives: int) -> None:
    # Given a slice with few positives, in which equal models differ by noise
    target = (np.arange(150) < positives).astype(int)
    rows = pd.DataFrame({"region": ["north"] * 150})
    lost = []
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(size=(3, 150))
        ours, theirs = target + noise[0] + noise[1:]
        lost.append(roc_auc_score(target, theirs) - roc_auc_score(target, ours))
        assert not collapses(rows, target, ours, theirs, ("region",)), seed

    assert max(lost) > SLICE_TOLERANCE


def test_null_is_a_slice(rows: pd.DataFrame) -> None:
    rows["region"] = rows["region"].where(rows["region"] != "north")

    class Blind(Model):
        def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
            return super().predict_proba(rows.assign(signal=rows["signal"].where(rows["region"].notna(), 0)))

    for kind in ("object", "category", "str"):
        decision = decide(Blind(0.0), Model(1.0), rows.astype({"region": kind}))
        assert "; a slice collapses: region null loses 0." in decision.reason, kind


def test_too_few_rows_are_not_compared(rows: pd.DataFrame) -> None:
    for few in (rows.head(99), rows[rows["churned"] == 1], rows.head(0)):
        decision = decide(Model(0.0), Model(1.0), few)
        assert not decision.promoted
        assert decision.reason.startswith("too few to compare")


def test_both_models_share_the_resamples() -> None:
    target = np.arange(300) % 2
    score = np.random.default_rng(0).random(300)

    for differences in bootstrap(target, score, score):
        assert not differences.any()
    for differences in bootstrap(target, score, 1 - score):
        assert len(differences) == 1000
