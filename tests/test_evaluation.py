"""Evaluation's own arithmetic: which columns a model lives on."""

from typing import Any

from evaluation import IMPORTANCE_ROWS, importance

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin


class Model(ClassifierMixin, BaseEstimator):
    """Looks at two columns alone, and twice as much at the first."""

    classes_ = np.array([0, 1])

    def fit(self, *_: object) -> "Model":
        """Be a model as scikit-learn knows them."""
        return self

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the probabilities of both classes."""
        score = 1 / (1 + np.exp(-2 * frame["strong"].to_numpy() - frame["weak"].to_numpy()))
        return np.column_stack([1 - score, score])


def holdout(rows: int, positive: float) -> tuple[pd.DataFrame, np.ndarray]:
    """Make a holdout in which both columns tell of the target, and others do not."""
    random = np.random.default_rng(1)
    columns: dict[str, Any] = {f"ignored_{i:02}": random.normal(size=rows) for i in range(5)}
    columns |= {"strong": random.normal(size=rows), "weak": random.normal(size=rows)}
    columns["text"] = pd.Series(["a", None] * (rows // 2), dtype=object)
    score = 2 * columns["strong"] + columns["weak"] + random.logistic(size=rows)
    return pd.DataFrame(columns), (score > np.quantile(score, 1 - positive)).astype("int8")


def test_what_the_model_looks_at_matters_and_the_rest_not_at_all() -> None:
    frame, target = holdout(3000, 0.3)
    before = frame.copy()

    found = importance(Model(), frame, target)

    assert [row["column"] for row in found[:2]] == ["strong", "weak"]
    assert found[0]["roc_auc_lost"] > found[1]["roc_auc_lost"] > 0.01
    assert len(found) == len(frame.columns)
    assert {row["roc_auc_lost"] for row in found[2:]} == {0.0}
    assert importance(Model(), frame, target) == found
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.filterwarnings("error")
def test_a_class_that_is_rare_is_looked_for_among_all_rows() -> None:
    frame, target = holdout(4 * IMPORTANCE_ROWS, 1 / (4 * IMPORTANCE_ROWS))
    assert target.sum() == 1

    assert importance(Model(), frame, target)[0]["column"] == "strong"
