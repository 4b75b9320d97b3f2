"""Scores of predicted probabilities, overall and by slice, and their curves."""

from typing import Any

from pipeline.modelling.slices import slice_names

import numpy as np
import pandas as pd
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

# More decimals depend on the processor.
DECIMALS = 6
# The bins of the calibration error, and the draws of its interval.
CALIBRATION_BINS, DRAWS = 10, 10_000
# Enough points for a smooth curve.
CURVE_POINTS = 500

Scores = dict[str, float | None]
Rows = list[dict[str, Any]]


def scores(target: np.ndarray, probability: np.ndarray, threshold: float) -> Scores:
    """Return the scores of probabilities (float, shape (rows,)) for the target (0 or 1, shape (rows,)).

    The last four scores are at `threshold`. Scores that need both classes are None if there is only one.
    """
    predicted = (probability >= threshold).astype(int)
    both = 0 < target.sum() < len(target)
    values = {
        "roc_auc": roc_auc_score(target, probability) if both else None,
        "average_precision": average_precision_score(target, probability) if target.any() else None,
        "log_loss": log_loss(target, probability, labels=[0, 1]),
        "brier_score": brier_score_loss(target, probability, pos_label=1),
        "accuracy": accuracy_score(target, predicted),
        "precision": precision_score(target, predicted, zero_division=0.0),
        "recall": recall_score(target, predicted, zero_division=0.0),
        "f1": f1_score(target, predicted, zero_division=0.0),
    }
    return {name: None if value is None else _round(value) for name, value in values.items()}


def calibration_error(target: np.ndarray, probability: np.ndarray) -> dict[str, Any]:
    """Return the expected calibration error, and its 95 % interval.

    The error is the mean over all rows of |mean probability - share of positives| in the row's bin, with bins
    of equally many rows (Nguyen and O'Connor, Posterior calibration, 2015). Chance alone gives an error above
    0, which the basic bootstrap corrects (Davison and Hinkley, Bootstrap methods, 1997, section 5.2). The
    interval begins at 0 if chance gives a calibrated model such an error in one of 20 cases. The sum of a bin
    is drawn from its normal limit, so that the cost of a draw does not depend on the rows.
    """
    rows, difference = len(target), probability - target
    edges = np.quantile(probability, np.arange(1, CALIBRATION_BINS) / CALIBRATION_BINS)
    found = np.searchsorted(edges, probability, side="right")
    sums, squares = (np.bincount(found, power, CALIBRATION_BINS) for power in (difference, difference**2))
    error = np.abs(sums).sum() / rows
    deviations = np.sqrt(squares - sums**2 / rows)
    noise = deviations * np.random.default_rng(0).normal(size=(DRAWS, CALIBRATION_BINS))
    drawn, by_chance = (np.abs(bins).sum(axis=1) / rows for bins in (sums + noise, noise))
    low, high = 2 * error - np.quantile(drawn, (0.975, 0.025))
    if error <= np.quantile(by_chance, 0.95):
        low = 0.0
    # The error is within its interval, also where the correction is larger than the interval.
    interval = [_round(max(0.0, min(low, error))), _round(max(high, error))]
    return {"calibration_error": _round(error), "calibration_error_interval": interval}


def slice_scores(
    values: pd.Series, target: np.ndarray, probability: np.ndarray, threshold: float
) -> dict[str, Any]:
    """Return the scores of the rows of each slice of a column, by the slice's name."""
    named = slice_names(values)
    report = {}
    for value in sorted(named.unique()):
        rows = (named == value).to_numpy()
        report[value] = {"rows": int(rows.sum())} | scores(target[rows], probability[rows], threshold)
    return report


def curves(target: np.ndarray, probability: np.ndarray, threshold: float) -> dict[str, Rows]:
    """Return the points of the ROC, precision-recall and calibration curves, and the confusion matrix."""
    false_positive, true_positive, _ = roc_curve(target, probability)
    precision, recall, _ = precision_recall_curve(target, probability)
    observed, predicted = calibration_curve(target, probability, n_bins=10, strategy="quantile")
    (tn, fp), (fn, tp) = confusion_matrix(target, probability >= threshold, labels=[0, 1])
    return {
        "roc": _points(false_positive_rate=false_positive, true_positive_rate=true_positive),
        "precision_recall": _points(recall=recall, precision=precision),
        "calibration": _points(predicted_probability=predicted, observed_share=observed),
        # DVC's template counts rows of predictions; .dvc/plots/confusion_of_counts.json shows these counts.
        "confusion": [
            {"actual": "negative", "predicted": "negative", "customers": int(tn)},
            {"actual": "negative", "predicted": "positive", "customers": int(fp)},
            {"actual": "positive", "predicted": "negative", "customers": int(fn)},
            {"actual": "positive", "predicted": "positive", "customers": int(tp)},
        ],
    }


def _points(**columns: np.ndarray) -> Rows:
    length = len(next(iter(columns.values())))
    chosen = np.unique(np.linspace(0, length - 1, min(length, CURVE_POINTS)).round().astype(int))
    return [{name: _round(values[i]) for name, values in columns.items()} for i in chosen]


def _round(value: float) -> float:
    return round(float(value), DECIMALS)
