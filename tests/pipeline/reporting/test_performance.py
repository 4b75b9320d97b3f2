"""The numbers of the report against scikit-learn and scipy."""

from pipeline.modelling import bootstrap
from pipeline.modelling.bootstrap import Cells
from pipeline.modelling.scores import scores, slice_scores
from pipeline.reporting import intervals, performance
from pipeline.reporting.intervals import auc_difference, auc_interval, score_intervals, share_interval

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, log_loss, roc_auc_score

RANDOM = np.random.default_rng(0)
TARGET = (RANDOM.random(600) < 0.3).astype("int8")
# Rounded, so that there are ties.
PROBABILITY = np.round(1 / (1 + np.exp(-(1.5 * TARGET - 1.2 + RANDOM.normal(size=600)))), 2)


def test_share_interval_is_wilson() -> None:
    for count, rows in ((0, 7), (3, 7), (7, 7), (120, 600)):
        expected = binomtest(count, rows).proportion_ci(method="wilson")
        assert share_interval(count, rows) == pytest.approx((expected.low, expected.high))


def test_score_intervals_equal_scikit_learn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intervals, "RESAMPLES", 30)
    found = score_intervals(TARGET, PROBABILITY, 0.4)

    drawn = [np.repeat(np.arange(600), counts) for counts in Cells(600).resamples(30)]
    each = [scores(TARGET[rows], PROBABILITY[rows], 0.4) for rows in drawn]
    assert {*found} == {*each[0]}
    for name, interval in found.items():
        expected = np.quantile([values[name] for values in each], (0.025, 0.975))
        assert interval == pytest.approx(expected.tolist(), abs=1e-6), name
    assert auc_interval(TARGET, PROBABILITY) == found["roc_auc"]
    assert auc_interval(TARGET[TARGET == 1], PROBABILITY[TARGET == 1]) is None


def test_many_rows_have_the_intervals_of_the_exact_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    random, rows = np.random.default_rng(1), 6_000
    monkeypatch.setattr(bootstrap, "EXACT", rows - 1)
    target = (random.random(rows) < 0.1).astype("int8")
    signal, noise = 1.5 * target + random.normal(size=rows), random.normal(size=(2, rows))
    ours, theirs = (1 / (1 + np.exp(3 - signal - 0.3 * part)) for part in noise)

    def found() -> np.ndarray:
        both = score_intervals(target, ours, 0.2) | {"difference": auc_difference(target, ours, theirs)}
        return np.array([*both.values()])

    binned = found()
    monkeypatch.setattr(bootstrap, "EXACT", rows)
    exact = found()

    # Two exact bootstraps of 500 resamples with other seeds differ by as much.
    assert (np.abs(binned - exact) < 0.15 * np.ptp(exact, axis=1)[:, None]).all()


def test_auc_difference_is_paired() -> None:
    assert auc_difference(TARGET, PROBABILITY, PROBABILITY) == (0.0, 0.0)
    low, high = auc_difference(TARGET, PROBABILITY, RANDOM.random(600))
    assert low < roc_auc_score(TARGET, PROBABILITY) - 0.5 < high


def test_calibration_equals_scikit_learn() -> None:
    observed, predicted = calibration_curve(TARGET, PROBABILITY, n_bins=10, strategy="quantile")

    found = performance.calibration(TARGET, PROBABILITY)

    assert [row["observed"] for row in found] == pytest.approx(observed.tolist())
    assert [row["predicted"] for row in found] == pytest.approx(predicted.tolist())
    assert sum(row["rows"] for row in found) == 600


def test_distribution_counts_each_row_once() -> None:
    found = performance.distribution(TARGET, PROBABILITY, 1.0)

    assert sum(row["negative"] for row in found) == pytest.approx(1)
    assert sum(row["positive"] for row in found) == pytest.approx(1)
    first = (PROBABILITY[TARGET == 1] < 0.05).mean()
    assert found[0]["positive"] == pytest.approx(first)


def test_end_of_the_axis() -> None:
    assert performance.axis_top(np.array([0.01, 0.03]), 0.02) == 0.05
    assert performance.axis_top(np.array([0.01, 0.03]), 0.5) == 0.5
    assert performance.axis_top(np.array([0.01, 1.0]), 0.5) == 1.0


def test_gain_averages_over_ties() -> None:
    found = performance.gain(TARGET, PROBABILITY)

    orders = [np.lexsort((RANDOM.random(600), -PROBABILITY)) for _ in range(2_000)]
    for row in found:
        selected = round(row["selected"] * 600)
        mean = np.mean([TARGET[order[:selected]].sum() for order in orders]) / TARGET.sum()
        assert row["found"] == pytest.approx(mean, abs=0.003)
    assert found[0]["lift"] is None
    assert found[-1] == {"selected": 1.0, "found": 1.0, "lift": 1.0}


def test_cost_equals_the_confusion_matrix() -> None:
    found = performance.cost(TARGET, PROBABILITY, 0.37, 5.0, 1.0)

    assert 0.37 in [row["threshold"] for row in found]
    for row in found:
        _, fp, fn, tp = confusion_matrix(TARGET, row["threshold"] <= PROBABILITY).ravel()
        assert row["cost"] == pytest.approx((5 * fn + fp) / 600)
        assert (row["selected"], row["found"]) == (tp + fp, tp)


def test_slices_are_sorted_worst_first() -> None:
    frame = pd.DataFrame({"side": np.where(TARGET == 1, "left", None), "half": np.arange(600) < 300})
    given = {name: slice_scores(frame[name], TARGET, PROBABILITY, 0.5) for name in frame}

    found = performance.slices(frame, TARGET, PROBABILITY, given)

    assert [row["value"] for row in found[2:]] == ["left", "null"]
    assert found[0]["roc_auc"] <= found[1]["roc_auc"]
    assert [row["interval"] for row in found[2:]] == [None, None]
    for row in found[:2]:
        inside = frame["half"].to_numpy() == (row["value"] == "true")
        assert row["positive_share"] == TARGET[inside].mean()
        assert row["log_loss"] == pytest.approx(log_loss(TARGET[inside], PROBABILITY[inside]), abs=1e-6)
        assert row["interval"][0] < row["roc_auc"] < row["interval"][1]
