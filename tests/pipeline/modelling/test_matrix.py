"""A fit and a prediction by blocks of rows give what the model's own fit and prediction give."""

from typing import Any

from algorithms import INSTALLED
from pipeline.modelling import matrix as module
from pipeline.modelling.matrix import fit, matrix, probabilities, served_probabilities
from pipeline.modelling.models import build
from stages import contract_with, row, table

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_info, threadpool_limits

CONTRACT = contract_with(
    opened={"path": "opened", "type": "datetime", "nullable": True},
    # The value that is the first in order comes last, in one row.
    channel={"path": "channel", "type": "category", "nullable": True},
    partner={"path": "partner", "type": "boolean", "nullable": True},
)
DERIVED = {"ratio": "total_charges / tenure_months", "late": "(opened_year > 2020) & partner"}
BLOCKS: dict[str, dict[str, Any]] = {
    "hist_gradient_boosting": {"max_iter": 5},
    "random_forest": {"n_estimators": 5},
    "logistic_regression": {"max_iter": 500},
    "lightgbm": {"n_estimators": 5},
}


def rows(count: int, channels: int) -> pd.DataFrame:
    """Return rows as transformation writes them, with nulls, and `channels` values of a category."""
    random = np.random.default_rng(0)
    made = [
        row(
            number,
            opened=None if number % 7 == 0 else pd.Timestamp("2020-01-31") + pd.Timedelta(days=number),
            channel=None if number % 5 == 0 else f"c{number % channels:03}",
            partner=[None, True, False][random.integers(3)],
        )
        for number in range(count - 1)
    ]
    last = row(count, opened=None, channel="a", partner=None)
    frame: pd.DataFrame = table([*made, last], CONTRACT).to_pandas()
    return frame


@pytest.mark.slow
@pytest.mark.parametrize("channels", [3, 220], ids=["dense", "sparse"])
@pytest.mark.parametrize("algorithm", INSTALLED)
def test_blocks_change_nothing(algorithm: str, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = rows(230, channels)
    features, target = frame[list(CONTRACT.features)], frame["churned"].astype("int8")
    monkeypatch.setattr(module, "BLOCK", 50)
    models = [build(CONTRACT, algorithm, BLOCKS[algorithm], DERIVED, 0) for _ in range(2)]

    with threadpool_limits(limits=1):
        plain, blocked = models[0].fit(features, target), fit(models[1], features, target)
        expected = plain.predict_proba(features)[:, 1]
        found = [each(blocked, features) for each in (probabilities, served_probabilities)]

    # Unlike the bytes of a file, the hash does not depend on which equal strings are one object.
    assert joblib.hash(plain) == joblib.hash(blocked)
    for each in found:
        np.testing.assert_allclose(each, expected, rtol=1e-14)
    assert blocked["prepare"].sparse_output_ == (algorithm == "logistic_regression" and channels > 3)
    made, whole = matrix(blocked, features), plain[:-1].transform(features)
    assert type(made) is type(whole)
    if isinstance(made, np.ndarray):
        np.testing.assert_array_equal(made, whole)
    else:
        assert (made != whole).nnz == 0


@pytest.mark.slow
@pytest.mark.parametrize("calibration", ["none", "sigmoid"])
@pytest.mark.parametrize("algorithm", INSTALLED)
def test_only_boosted_trees_predict_on_more_threads(
    algorithm: str, calibration: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = rows(230, 3)
    features, target = frame[list(CONTRACT.features)], frame["churned"].astype("int8")
    model = fit(build(CONTRACT, algorithm, BLOCKS[algorithm], DERIVED, 0, calibration), features, target)
    seen: list[set[tuple[str, int]]] = []
    predict = Pipeline.predict_proba

    def recorded(self: Pipeline, block: pd.DataFrame) -> Any:
        seen.append({(pool["user_api"], pool["num_threads"]) for pool in threadpool_info()})
        return predict(self, block)

    monkeypatch.setattr(Pipeline, "predict_proba", recorded)
    with threadpool_limits(limits=3):
        few = probabilities(model, features)
        monkeypatch.setattr(module, "MANY", 230)
        many = probabilities(model, features)

    one, boosted = {("blas", 1), ("openmp", 1)}, algorithm in {"hist_gradient_boosting", "lightgbm"}
    assert seen == [one, {("blas", 1), ("openmp", 3)} if boosted else one]
    assert many.tobytes() == few.tobytes()
