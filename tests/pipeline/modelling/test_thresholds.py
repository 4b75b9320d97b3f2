"""The threshold: best by its criterion, chosen on train rows alone, and out of fold."""

from typing import Any

import evaluation
import training
import transformation
from pipeline.config.contract import load_contract
from pipeline.config.errors import PipelineError
from pipeline.config.parameters import load
from pipeline.data.artifacts import MODEL, TEST, TRAIN
from pipeline.modelling import thresholds
from pipeline.modelling.features import read_features, read_split
from pipeline.modelling.matrix import fit
from pipeline.modelling.models import build
from pipeline.modelling.parameters import EvaluationParameters, TrainingParameters
from pipeline.modelling.thresholds import choose, chosen_threshold
from project import Project
from stages import Folder, failure, row, target_and

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "calibration"), [("random_forest", "none"), ("hist_gradient_boosting", "isotonic")]
)
def test_the_threshold_is_chosen_on_predictions_out_of_fold(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, algorithm: str, calibration: str
) -> None:
    folder = Folder(tmp_path, monkeypatch)
    folder.write("validated", [row(number) for number in range(500)])
    transformation.main()
    blocks = {"random_forest": {"n_estimators": 10}, "hist_gradient_boosting": {"max_iter": 5}}
    folder.set(training={"algorithm": algorithm, "calibration": calibration} | blocks)
    training.main()
    model, train, holdout = joblib.load(MODEL), read_features(TRAIN, folder.contract), read_split(TEST)

    threshold = chosen_threshold({"recall_at": 0.8}, model, *train, random_state=0)

    assert threshold not in {0.0, 0.5, 1.0}
    metrics, *_ = evaluation.evaluate(model, holdout, folder.contract, EvaluationParameters(), threshold)
    probability = model.predict_proba(holdout)[:, 1]
    assert metrics["threshold"] == threshold
    assert metrics["recall"] == round(recall_score(holdout["churned"], probability >= threshold), 6)
    # It is not that of the rows that the final model was fitted on.
    features, target = train
    assert threshold != choose({"recall_at": 0.8}, target.to_numpy(), model.predict_proba(features)[:, 1])


def test_the_holdout_does_not_move_the_threshold(ready: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ready.root)
    ready.set(evaluation__threshold="f1")
    contract, model = load_contract(), joblib.load(MODEL)
    seed = load("training", TrainingParameters).random_state
    chosen = chosen_threshold("f1", model, *read_features(TRAIN, contract), seed)
    assert chosen != 0.5

    # When each holdout label is the other one
    for part in (ready.root / TEST).iterdir():
        frame = pd.read_parquet(part)
        part.unlink()
        frame.assign(churned=1 - frame["churned"]).to_parquet(part)
    ready.stage("evaluation", check=False)

    metrics = ready.json("artifacts/evaluation/metrics.json")
    assert metrics["threshold"] == chosen
    assert metrics["roc_auc"] < 0.5


def test_few_rows_of_a_class_are_one_line(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path, monkeypatch)
    folder.write("validated", [row(number, churned=number < 4) for number in range(100)])
    transformation.main()
    folder.set(training={"algorithm": "random_forest"})
    training.main()
    model, train = joblib.load(MODEL), read_features(TRAIN, folder.contract)

    with pytest.raises(
        PipelineError, match=r"3 rows of a class of churned, .* use a number as evaluation\.threshold"
    ):
        chosen_threshold("f1", model, *train, random_state=0)
    folder.set(training={"algorithm": "random_forest", "calibration": "sigmoid"})
    assert "3 rows of a class of churned" in failure(training.main, PipelineError)


def test_many_rows_need_fewer_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    features = pd.DataFrame({"number": np.random.default_rng(0).normal(size=1_000)})
    target = (features["number"] + np.random.default_rng(1).normal(size=1_000) > 1).astype("int8")
    contract = target_and(number={"type": "number"})
    model = fit(
        build(contract, "random_forest", {"n_estimators": 3, "max_depth": 2}, {}, 0), features, target
    )
    fits: list[int] = []
    learn = RandomForestClassifier.fit
    monkeypatch.setattr(
        RandomForestClassifier, "fit", lambda self, rows, y: (fits.append(len(rows)), learn(self, rows, y))[1]
    )

    for enough, expected in ((1_000, 5), (600, 3), (200, 1), (1, 1)):
        monkeypatch.setattr(thresholds, "ENOUGH", enough)
        fits.clear()
        assert 0 < chosen_threshold("f1", model, features, target, random_state=0) < 1
        assert fits == [800] * expected
