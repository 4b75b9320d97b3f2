"""The threshold of a model, chosen on train rows by `evaluation.threshold` of params.yaml."""

import math
from itertools import islice
from typing import Any

from pipeline.config.errors import PipelineError
from pipeline.modelling.matrix import matrix

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from tqdm import tqdm

FOLDS = 5
# With this many out-of-fold predictions, no further fold is fitted: a million rows need one fit, not five.
ENOUGH = 100_000
# A chosen threshold has six decimals, as the metrics have.
SCALE = 1e6

# A number, "f1", {"recall_at": share} or {"cost": {"false_negative": cost, "false_positive": cost}}.
Criterion = Any


def check_criterion(criterion: Criterion) -> Criterion:
    """Return a valid criterion of params.yaml unchanged, and refuse another."""
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


def chosen_threshold(
    criterion: Criterion, model: Pipeline, features: pd.DataFrame, target: pd.Series, random_state: int
) -> float:
    """Return the threshold of a fitted model by a criterion, chosen on its train rows.

    The predictions are out-of-fold: those of up to `FOLDS` models, each for the rows that it was not fitted
    on. No fold is fitted after `ENOUGH` predictions. The caller limits the threads.
    """
    if (rare := int(target.value_counts().min())) < FOLDS:
        raise PipelineError(
            f"the train rows hold {rare} rows of a class of {target.name}, and a threshold by "
            f"cross-validation needs {FOLDS}: use a number as evaluation.threshold"
        )
    # The other steps do not see the target: they need no second fit.
    rows, labels = matrix(model, features), target.to_numpy()
    known, predicted = [], []
    needed = min(FOLDS, math.ceil(ENOUGH * FOLDS / len(labels)))
    folds = islice(folds_of(random_state).split(rows, labels), needed)
    for fit, test in tqdm(folds, desc="evaluation: threshold", total=needed, unit=" fits", disable=None):
        fitted = clone(model[-1]).fit(rows[fit], labels[fit])
        known.append(labels[test])
        predicted.append(fitted.predict_proba(rows[test])[:, 1])
    return choose(criterion, np.concatenate(known), np.concatenate(predicted))


def folds_of(random_state: int) -> StratifiedKFold:
    """Return the folds of the cross-validations for calibration and threshold."""
    return StratifiedKFold(FOLDS, shuffle=True, random_state=random_state)


def is_number(value: object) -> bool:
    """Return whether a value of params.yaml is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
