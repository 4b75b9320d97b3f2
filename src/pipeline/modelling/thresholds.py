"""The threshold of a model, chosen on train rows by `evaluation.threshold` of params.yaml."""

import math
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import FixedThresholdClassifier, StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline

FOLDS = 5
# A chosen threshold has six decimals, as the metrics have.
SCALE = 1e6

# A number, "f1", {"recall_at": share} or {"cost": {"false_negative": cost, "false_positive": cost}}.
Criterion = Any


def check_criterion(criterion: Criterion) -> Criterion:
    """Return a criterion of params.yaml unchanged.

    Raises:
        ValueError: the criterion is not valid.
    """
    match criterion:
        case "f1":
            return criterion
        case int() | float() if is_number(criterion) and 0 < criterion < 1:
            return criterion
        case {"recall_at": share} if len(criterion) == 1 and is_number(share) and 0 < share <= 1:
            return criterion
        case {"cost": {"false_negative": missed, "false_positive": alarm}} if (
            len(criterion) == 1
            and len(criterion["cost"]) == 2
            and all(is_number(cost) and cost > 0 for cost in (missed, alarm))
        ):
            return criterion
    raise ValueError(
        f"{criterion!r} is not a number between 0 and 1, f1, {{recall_at: 0.8}} (at most 1) or "
        "{cost: {false_negative: 5, false_positive: 1}} (above 0)"
    )


def choose(criterion: Criterion, target: np.ndarray, probability: np.ndarray) -> float:
    """Return the threshold that is best by a criterion for probabilities of the target (0 or 1).

    A row is predicted positive if its probability is at least the threshold. The result is the highest of
    equally good thresholds; for `recall_at`, the highest that has the recall.
    """
    candidates = np.unique([0.0, *np.floor(probability * SCALE) / SCALE, 1.0])
    positives, negatives = (np.sort(probability[target == label]) for label in (1, 0))
    found = len(positives) - np.searchsorted(positives, candidates)
    alarms = len(negatives) - np.searchsorted(negatives, candidates)
    match criterion:
        case "f1":
            value = 2 * found / (found + alarms + len(positives))
        case {"recall_at": share}:
            value = found >= share * len(positives)
        case {"cost": cost}:
            missed = len(positives) - found
            value = -(cost["false_negative"] * missed + cost["false_positive"] * alarms)
        case _:
            return float(criterion)
    return float(candidates[np.flatnonzero(value == value.max())[-1]])


def with_threshold(
    model: Pipeline, criterion: Criterion, features: pd.DataFrame, target: pd.Series, random_state: int
) -> Pipeline:
    """Return an unfitted model with a threshold: `predict` uses it, `predict_proba` stays the same.

    Unless the criterion is a number, the threshold is chosen on out-of-fold predictions of the train rows.
    """
    threshold = criterion
    if not is_number(criterion):
        # The other steps do not see the target: they are fitted once, as inside CalibratedClassifierCV.
        rows, folds = model[:-1].fit_transform(features), folds_of(random_state)
        probability = cross_val_predict(model[-1], rows, target, cv=folds, method="predict_proba")[:, 1]
        threshold = choose(criterion, target.to_numpy(), probability)
    classify = FixedThresholdClassifier(
        model[-1], threshold=float(threshold), pos_label=1, response_method="predict_proba"
    )
    return Pipeline([*model.steps[:-1], ("classify", classify)])


def folds_of(random_state: int) -> StratifiedKFold:
    """Return the folds of a cross-validation inside training."""
    return StratifiedKFold(FOLDS, shuffle=True, random_state=random_state)


def threshold_of(model: Pipeline) -> float:
    """Return the threshold of a model that training made."""
    return float(model[-1].threshold)


def is_number(value: object) -> bool:
    """Return whether a value of params.yaml is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
