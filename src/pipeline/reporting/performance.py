"""The numbers of the report that depend on the target and the probabilities of the holdout."""

from itertools import pairwise
from typing import Any

from pipeline.modelling.slices import slice_names
from pipeline.reporting.intervals import auc_interval, share_interval

import numpy as np
import pandas as pd

Rows = list[dict[str, Any]]
# Bars of the distribution of the probabilities, bins of the calibration, points of the gain and the cost.
BARS, BINS, STEPS, POINTS = 20, 10, 20, 100
# The axis of probabilities ends at one of these: rare positives are visible, and versions share axes.
TOPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
# The page lists this many slices.
SLICES = 60


def axis_top(probability: np.ndarray, threshold: float) -> float:
    """Return where the axis of probabilities ends."""
    return next(top for top in TOPS if top >= min(1.0, max(float(probability.max()), threshold)))


def calibration(target: np.ndarray, probability: np.ndarray) -> Rows:
    """Return bins of equal size: mean probability, observed share with its interval, rows.

    The bins are those of scikit-learn's `calibration_curve` with `strategy="quantile"`.
    """
    edges = np.percentile(probability, np.linspace(0, 100, BINS + 1))
    bins = np.searchsorted(edges[1:-1], probability)
    found = []
    for number in range(BINS):
        if rows := int((inside := bins == number).sum()):
            positives = int(target[inside].sum())
            low, high = share_interval(positives, rows)
            mean = float(probability[inside].mean())
            found.append(
                {"predicted": mean, "observed": positives / rows, "low": low, "high": high, "rows": rows}
            )
    return found


def distribution(target: np.ndarray, probability: np.ndarray, top: float) -> Rows:
    """Return the share of each class whose probability lies in each of `BARS` equal intervals up to `top`."""
    edges = np.linspace(0, top, BARS + 1)
    counts = [np.histogram(probability[target == side], edges)[0] for side in (0, 1)]
    negative, positive = (count / max(count.sum(), 1) for count in counts)
    return [
        {"from": float(low), "to": float(high), "negative": float(n), "positive": float(p)}
        for (low, high), n, p in zip(pairwise(edges), negative, positive, strict=True)
    ]


def gain(target: np.ndarray, probability: np.ndarray) -> Rows:
    """Return the gain and the lift for shares of the rows, selected by the highest probability first.

    `found` is the share of all positives that is selected. `lift` is the share of positives among the
    selected rows, divided by that among all rows. Rows with equal probabilities count as in random order.
    """
    _, rank, counts = np.unique(-probability, return_inverse=True, return_counts=True)
    positives = np.bincount(rank, target)
    # Between two distinct probabilities, the positives grow linearly.
    selected = np.concatenate([[0], counts.cumsum()]) / len(target)
    found = np.concatenate([[0], positives.cumsum()]) / target.sum()
    shares = np.linspace(0, 1, STEPS + 1)
    return [
        {"selected": float(share), "found": float(part), "lift": float(part / share) if share else None}
        for share, part in zip(shares, np.interp(shares, selected, found), strict=True)
    ]


def cost(
    target: np.ndarray,
    probability: np.ndarray,
    threshold: float,
    false_negative: float,
    false_positive: float,
) -> Rows:
    """Return the mean cost of a row at some thresholds, with the rows selected and the positives found.

    The thresholds are `threshold` and up to `POINTS` quantiles of the probabilities.
    """
    quantiles = np.quantile(probability, np.linspace(0, 1, POINTS), method="lower")
    thresholds = np.unique([*quantiles, threshold])
    selected = len(target) - np.searchsorted(np.sort(probability), thresholds)
    found = target.sum() - np.searchsorted(np.sort(probability[target == 1]), thresholds)
    mean = (false_negative * (target.sum() - found) + false_positive * (selected - found)) / len(target)
    return [
        {"threshold": float(t), "cost": float(c), "selected": int(s), "found": int(f)}
        for t, c, s, f in zip(thresholds, mean, selected, found, strict=True)
    ]


def slices(
    frame: pd.DataFrame, target: np.ndarray, probability: np.ndarray, scores: dict[str, dict[str, Any]]
) -> Rows:
    """Return the slices with the interval of their ROC AUC, worst first; those without a ROC AUC are last.

    `scores` are the scores by column and value. Only the first `SLICES` have an interval.
    """
    flat = [
        {"column": column, "value": value} | found
        for column, values in scores.items()
        for value, found in values.items()
    ]
    flat.sort(key=lambda row: (row["roc_auc"] is None, row["roc_auc"] or 0, row["column"], row["value"]))
    names = {column: slice_names(frame[column]) for column in scores}
    for row in flat[:SLICES]:
        inside = (names[row["column"]] == row["value"]).to_numpy()
        row["positive_share"] = float(target[inside].mean())
        row["interval"] = auc_interval(target[inside], probability[inside])
    return flat
