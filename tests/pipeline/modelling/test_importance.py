"""Importance: used columns have it, unused ones are not shuffled, and the work is bounded."""

from typing import Any

from algorithms import INSTALLED
from pipeline.modelling import importance as module
from pipeline.modelling.importance import column_weights, importance
from pipeline.modelling.parameters import TrainingParameters
from stages import target_and
from training import train

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

CONTRACT = target_and(
    **{f"ignored_{number}": {"type": "number"} for number in range(5)},
    strong={"type": "number", "nullable": True},
    weak={"type": "number"},
    area={"type": "category"},
    vip={"type": "boolean", "nullable": True},
)
DERIVED = {"ratio": "strong * 2", "more": "ratio + vip"}
BLOCKS: dict[str, Any] = {
    "hist_gradient_boosting": {"max_iter": 30, "max_leaf_nodes": 3},
    "random_forest": {"n_estimators": 10, "max_depth": 2},
    "logistic_regression": {"l1_ratio": 1.0, "solver": "liblinear", "C": 0.03},
    "lightgbm": {"n_estimators": 15, "num_leaves": 3, "min_split_gain": 3.0},
}


def rows(count: int, positive: float) -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.default_rng(1)
    frame = pd.DataFrame({f"ignored_{number}": random.normal(size=count) for number in range(5)})
    frame = frame.assign(strong=random.normal(size=count), weak=random.normal(size=count))
    frame["area"] = random.choice(["a", "b", "c"], count)
    frame["vip"] = pd.Series(random.choice([True, False, None], count), dtype=object)
    score = 3 * frame["strong"] + frame["weak"] + random.logistic(size=count)
    return frame, (score > np.quantile(score, 1 - positive)).to_numpy(dtype="int8")


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", INSTALLED)
def test_only_used_columns_have_importance(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, target = rows(1500, 0.3)
    calibration = "sigmoid" if algorithm == "random_forest" else "none"
    block = {algorithm: BLOCKS[algorithm]}
    parameters = TrainingParameters(
        algorithm=algorithm,
        calibration=calibration,
        derived_features=DERIVED,
        **block,
    )
    model = train(frame, pd.Series(target), parameters, CONTRACT)
    before, whole = frame.copy(), model.predict_proba(frame)
    predictions: list[int] = []
    predict = Pipeline.predict_proba
    monkeypatch.setattr(
        Pipeline, "predict_proba", lambda self, rows: (predictions.append(len(rows)), predict(self, rows))[1]
    )

    found = importance(model, frame, target)

    pd.testing.assert_frame_equal(frame, before)
    assert [row["column"] for row in found[:2]] == ["strong", "weak"]
    assert found[0]["roc_auc_lost"] > found[1]["roc_auc_lost"] > 0.005
    assert sorted(row["column"] for row in found) == sorted(CONTRACT.features)
    weights = column_weights(model)
    used = [name for name in CONTRACT.features if weights[name]]
    # One prediction of the rows, and one of all shuffles.
    assert predictions == [module.ROWS, module.ROWS * module.REPEATS * len(used)]
    # A column without weight changes no prediction.
    unused = frame.assign(
        **{name: frame[name].to_numpy()[::-1] for name in CONTRACT.features if name not in used}
    )
    assert np.array_equal(predict(model, unused), whole)
    assert set(used) < set(CONTRACT.features)
    predictions.clear()
    monkeypatch.setattr(module, "TOGETHER", 1)
    assert importance(model, frame, target) == found
    assert predictions == [module.ROWS, *[module.ROWS * module.REPEATS] * len(used)]

    # With more columns than the limit, those that the model uses most are shuffled
    monkeypatch.setattr(module, "COLUMNS", 2)
    predictions.clear()
    assert importance(model, frame, target)[0]["column"] == "strong"
    assert len(predictions) <= 1 + 2


@pytest.mark.filterwarnings("error")
def test_a_rare_class_is_in_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, target = rows(4 * module.ROWS, 1 / (4 * module.ROWS))
    assert target.sum() == 1
    fitted = TrainingParameters(algorithm="random_forest", random_forest={"n_estimators": 5})
    known, labels = rows(500, 0.3)
    model = train(known, pd.Series(labels), fitted, CONTRACT)

    predicted: list[int] = []
    predict = Pipeline.predict_proba
    monkeypatch.setattr(
        Pipeline, "predict_proba", lambda self, rows: (predicted.append(len(rows)), predict(self, rows))[1]
    )

    assert importance(model, frame, target)[0]["roc_auc_lost"] > 0
    # The one positive row, and not all of the others.
    few = module.ROWS // 2 + 1
    used = sum(column_weights(model)[name] > 0 for name in CONTRACT.features)
    assert predicted == [few, few * module.REPEATS * used]
