"""The threshold: best by its criterion, chosen on train rows alone, and a property of the model."""

from typing import Any

import evaluation
import training
import transformation
from pipeline.config.errors import PipelineError
from pipeline.data.artifacts import MODEL, TEST
from pipeline.modelling.features import read_split
from pipeline.modelling.parameters import EvaluationParameters
from pipeline.modelling.thresholds import choose, threshold_of
from stages import Folder, failure, row

import joblib
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, recall_score

RANDOM = np.random.default_rng(0)
# A few different probabilities with ties, and many.
PROBABILITIES = {
    "ties": RANDOM.integers(0, 11, 300) / 10,
    "distinct": RANDOM.random(300),
    "one value": np.full(300, 0.3),
}
TARGETS = {name: (RANDOM.random(300) < values).astype(int) for name, values in PROBABILITIES.items()}
COST = {"false_negative": 5, "false_positive": 2}


def cost(target: np.ndarray, predicted: np.ndarray) -> float:
    _, alarms, missed, _ = confusion_matrix(target, predicted, labels=[0, 1]).ravel()
    return -float(COST["false_negative"] * missed + COST["false_positive"] * alarms)


@pytest.mark.parametrize("kind", PROBABILITIES)
@pytest.mark.parametrize(
    ("criterion", "score"),
    [
        ("f1", lambda target, predicted: f1_score(target, predicted, zero_division=0.0)),
        ({"cost": COST}, cost),
        ({"recall_at": 0.8}, lambda target, predicted: recall_score(target, predicted) >= 0.8),
        ({"recall_at": 1}, lambda target, predicted: recall_score(target, predicted) == 1),
    ],
    ids=["f1", "cost", "recall", "all found"],
)
def test_threshold_is_the_highest_of_the_best(kind: str, criterion: Any, score: Any) -> None:
    target, probability = TARGETS[kind], PROBABILITIES[kind]

    found = choose(criterion, target, probability)

    best = score(target, probability >= found)
    for other in np.linspace(0, 1, 60):
        value = score(target, probability >= other)
        assert value <= best
        # Chosen thresholds have six decimals.
        assert value < best or other < found + 1e-6


def test_high_cost_of_false_positives_selects_no_row() -> None:
    costs = {"cost": {"false_negative": 1, "false_positive": 1000}}

    assert choose(costs, 1 - TARGETS["distinct"], PROBABILITIES["distinct"]) == 1


@pytest.mark.parametrize(
    ("algorithm", "calibration"), [("random_forest", "none"), ("hist_gradient_boosting", "isotonic")]
)
def test_holdout_does_not_change_the_threshold(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, algorithm: str, calibration: str
) -> None:
    folder = Folder(tmp_path, monkeypatch)
    folder.write("validated", [row(number) for number in range(500)])
    transformation.main()
    blocks = {"random_forest": {"n_estimators": 10}, "hist_gradient_boosting": {"max_iter": 5}}
    folder.set(
        training={"algorithm": algorithm, "calibration": calibration} | blocks,
        evaluation={"threshold": {"recall_at": 0.8}},
    )
    training.main()
    before = MODEL.read_bytes()
    model, holdout = joblib.load(MODEL), read_split(TEST)
    threshold = threshold_of(model)
    assert threshold not in {0.0, 0.5, 1.0}

    # When all holdout labels are inverted
    for part in TEST.iterdir():
        frame = read_split(TEST)
        frame.assign(churned=1 - frame["churned"]).to_parquet(part)
    training.main()

    assert MODEL.read_bytes() == before
    metrics, *_ = evaluation.evaluate(model, holdout, folder.contract, EvaluationParameters())
    probability = model.predict_proba(holdout)[:, 1]
    assert metrics["threshold"] == threshold
    assert metrics["recall"] == round(recall_score(holdout["churned"], probability >= threshold), 6)
    assert np.array_equal(model.predict(holdout), probability >= threshold)
    # It differs from the threshold on the rows that the final model was fitted on.
    rows = read_split(training.TRAIN)
    fitted = choose({"recall_at": 0.8}, rows["churned"], model.predict_proba(rows)[:, 1])
    assert threshold != fitted


def test_few_rows_of_a_class_are_one_line(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path, monkeypatch)
    folder.write("validated", [row(number, churned=number < 4) for number in range(100)])
    transformation.main()
    folder.set(training={"algorithm": "random_forest"}, evaluation={"threshold": "f1"})

    assert "3 rows of a class of churned" in failure(training.main, PipelineError)

    folder.set(evaluation={"threshold": 0.5})
    training.main()
