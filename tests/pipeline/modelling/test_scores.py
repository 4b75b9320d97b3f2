"""The calibration error and the slices, against independent computations."""

from typing import Any

from pipeline.modelling.scores import calibration_error
from pipeline.modelling.slices import MOST, slice_edges, slice_names

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap
from sklearn.calibration import calibration_curve

RANDOM = np.random.default_rng(0)
ROWS = 2_000
TRUE = RANDOM.beta(1, 2.5, ROWS)
TARGET = (RANDOM.random(ROWS) < TRUE).astype(int)


def error_of(target: np.ndarray, probability: np.ndarray) -> float:
    """Return the error by scikit-learn's curve, whose ten quantile bins have the same number of rows."""
    observed, predicted = calibration_curve(target, probability, n_bins=10, strategy="quantile")
    return float(np.abs(observed - predicted).mean())


@pytest.mark.parametrize("shift", [0.0, 0.05, -0.1])
def test_calibration_error_equals_the_curve(shift: float) -> None:
    shifted = np.clip(TRUE + shift, 0, 1) if shift > 0 else TRUE * (1 + shift)

    found = calibration_error(TARGET, shifted)

    assert found["calibration_error"] == pytest.approx(error_of(TARGET, shifted), abs=1e-6)
    assert calibration_error(TARGET, shifted) == found


def test_interval_equals_the_bootstrap() -> None:
    shifted = np.clip(TRUE + 0.1, 0, 1)
    edges = np.quantile(shifted, np.arange(1, 10) / 10)

    def error(target: np.ndarray, probability: np.ndarray) -> float:
        bins = np.searchsorted(edges, probability, side="right")
        return float(np.abs(np.bincount(bins, probability - target)).sum() / len(target))

    drawn = bootstrap(
        (TARGET, shifted), error, paired=True, vectorized=False, n_resamples=1000, method="basic", rng=0
    ).confidence_interval

    found = calibration_error(TARGET, shifted)["calibration_error_interval"]
    assert found == pytest.approx([drawn.low, drawn.high], abs=0.003)


def test_interval_of_a_calibrated_model_includes_zero() -> None:
    assert calibration_error(TARGET, TRUE)["calibration_error_interval"][0] == 0
    assert calibration_error(TARGET, np.clip(TRUE + 0.1, 0, 1))["calibration_error_interval"][0] > 0.05


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_single_probability_is_one_bin(value: float) -> None:
    found = calibration_error(TARGET, np.full(ROWS, value))

    assert found["calibration_error"] == pytest.approx(abs(value - TARGET.mean()), abs=1e-6)
    low, high = found["calibration_error_interval"]
    assert 0 <= low <= found["calibration_error"] <= high


DATES = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(RANDOM.integers(0, 900, 500), unit="D"))
MANY: dict[str, Any] = {
    "numbers": pd.Series(RANDOM.normal(size=500)),
    "numbers with nulls": pd.Series(np.where(RANDOM.random(500) < 0.2, np.nan, RANDOM.normal(size=500))),
    "integers": pd.Series(RANDOM.integers(0, 72, 500)),
    "dates": DATES,
    "dates with nulls": DATES.where(RANDOM.random(500) < 0.8),
    "mostly one number": pd.Series(np.where(RANDOM.random(500) < 0.7, 0, RANDOM.normal(size=500))),
}


@pytest.mark.parametrize("kind", MANY)
def test_numbers_and_dates_are_five_quantiles(kind: str) -> None:
    values = MANY[kind]

    names = slice_names(values)

    assert set(names) <= {f"quantile {number} of 5" for number in range(1, 6)} | {"null"}
    assert ((names == "null") == values.isna()).all()
    # The bins follow the order of the values, equal values share a bin, and an edge is its last value.
    ends = values.groupby(names).agg(["min", "max"]).drop("null", errors="ignore")
    assert (ends["min"].to_numpy()[1:] > ends["max"].to_numpy()[:-1]).all()
    assert set(ends["max"][:-1]) <= set(slice_edges(values))
    if "mostly" not in kind:
        assert names[names != "null"].value_counts(normalize=True).between(0.17, 0.23).all()
    # The slice of a row does not depend on its position.
    pd.testing.assert_series_equal(slice_names(values[::-1])[::-1], names)


def test_many_categories_are_grouped() -> None:
    values = pd.Series([f"code {min(number, 60)}" for number in range(100) for _ in range(100 - number)])

    sizes = slice_names(values).value_counts()

    assert len(sizes) == MOST
    assert sizes.sum() == len(values)
    assert {name for name in sizes.index if name != "other"} == {
        "code 60",
        *(f"code {number}" for number in range(MOST - 2)),
    }


def test_few_values_are_their_own_slices() -> None:
    assert set(slice_names(pd.Series([True, None, False], dtype=object))) == {"true", "null", "false"}
    assert set(slice_names(pd.Series([0, 1, 2]))) == {"0", "1", "2"}
    assert set(slice_names(pd.Series([None, None], dtype=object))) == {"null"}
