"""Confidence intervals (95 %) of scores and of shares."""

import math
from collections.abc import Callable
from typing import Any

from pipeline.modelling.bootstrap import PAIRED_BINS, Cells, losses, ranks, weighted_auc, weighted_precision

import numpy as np

Interval = tuple[float, float]
RESAMPLES = 500
# The two-sided 95 % quantile of the normal distribution.
Z = 1.959963984540054

Score = Callable[[np.ndarray], float]


def score_intervals(target: np.ndarray, probability: np.ndarray, threshold: float) -> dict[str, Interval]:
    """Return the percentile bootstrap interval of each score of `pipeline.modelling.scores.scores`."""
    rows, positive, selected = len(target), target.astype(bool), probability >= threshold
    rank = ranks(probability)
    cells = Cells(rows, rank, positive, selected)
    loss = cells.mean(losses(positive, probability))
    square = cells.mean(np.square(probability - target))
    order, own, chosen = (values[cells.first] for values in (rank, positive, selected))
    hit = own & chosen

    def share(drawn: np.ndarray, part: np.ndarray, whole: Any) -> float:
        below = int(drawn[whole].sum())
        return int(drawn[part].sum()) / below if below else 0.0

    def f1(drawn: np.ndarray) -> float:
        below = int(drawn[chosen].sum() + drawn[own].sum())
        return 2 * int(drawn[hit].sum()) / below if below else 0.0

    scores: dict[str, Score] = {
        "roc_auc": lambda drawn: weighted_auc(own, order, drawn),
        "average_precision": lambda drawn: weighted_precision(own, order, drawn),
        "log_loss": lambda drawn: float(drawn @ loss) / rows,
        "brier_score": lambda drawn: float(drawn @ square) / rows,
        "accuracy": lambda drawn: int(drawn[chosen == own].sum()) / rows,
        "precision": lambda drawn: share(drawn, hit, chosen),
        "recall": lambda drawn: share(drawn, hit, own),
        "f1": f1,
    }
    return _intervals(positive, cells, scores)


def auc_interval(target: np.ndarray, probability: np.ndarray) -> Interval | None:
    """Return the interval of the ROC AUC; None if the rows hold one class only."""
    positive, rank = target.astype(bool), ranks(probability)
    if positive.all() or not positive.any():
        return None
    cells = Cells(len(target), rank, positive)
    own, order = positive[cells.first], rank[cells.first]
    return _intervals(positive, cells, {"auc": lambda drawn: weighted_auc(own, order, drawn)})["auc"]


def auc_difference(target: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> Interval:
    """Return the interval of the difference in ROC AUC (ours minus theirs) on the same resamples."""
    positive, our_rank, their_rank = target.astype(bool), ranks(ours, PAIRED_BINS), ranks(theirs, PAIRED_BINS)
    cells = Cells(len(target), our_rank, their_rank, positive)
    own, our_order, their_order = (values[cells.first] for values in (positive, our_rank, their_rank))

    def difference(drawn: np.ndarray) -> float:
        return weighted_auc(own, our_order, drawn) - weighted_auc(own, their_order, drawn)

    return _intervals(positive, cells, {"difference": difference})["difference"]


def share_interval(count: int, rows: int) -> Interval:
    """Return the interval of a share (Wilson, 1927)."""
    share, square = count / rows, Z * Z
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    half = Z / (1 + square / rows) * math.sqrt(share * (1 - share) / rows + square / (4 * rows * rows))
    return max(0.0, middle - half), min(1.0, middle + half)


def _intervals(positive: np.ndarray, cells: Cells, scores: dict[str, Score]) -> dict[str, Interval]:
    """Return the interval of each score. A resample with one class only has no ROC AUC, and is skipped."""
    own = positive[cells.first]
    values = [
        [score(drawn) for score in scores.values()]
        for drawn in cells.resamples(RESAMPLES)
        if 0 < drawn[own].sum() < len(positive)
    ]
    low, high = np.quantile(values, (0.025, 0.975), axis=0)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(scores)}
