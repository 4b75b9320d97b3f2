"""The bootstrap of rows, and fast scores of weighted rows for a thousand resamples.

A resample is the number of draws of each row (Efron, Bootstrap Methods, 1979), so the score of a resample is
a score with weights. If there are many rows, those of one class with nearly equal scores form a cell. The
draws of the cells are multinomial, so the work of a resample depends on the cells, not on the rows.
"""

from collections.abc import Iterator

import numpy as np

RESAMPLES, SEED = 1_000, 0
# Up to this many rows, each row is a cell: the bootstrap is exact.
EXACT = 20_000
# If there are more rows: the bins of one score, and those of each of two scores that are compared.
BINS, PAIRED_BINS = 1_000, 100


class Cells:
    """The cells of rows: `count` rows in each, whose first row is `first`, and the cell of each row."""

    def __init__(self, rows: int, *keys: np.ndarray) -> None:
        """Put rows with equal keys (integers or booleans) into one cell; each of a few rows is a cell."""
        if rows <= EXACT:
            self.first = self.cell = np.arange(rows)
        else:
            key = np.zeros(rows, dtype=np.int64)
            for values in keys:
                key = key * (int(values.max()) + 1) + values
            _, self.first, self.cell = np.unique(key, return_index=True, return_inverse=True)
        self.count: np.ndarray = np.bincount(self.cell)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of `values` (float, shape (rows,)) in each cell."""
        found: np.ndarray = np.bincount(self.cell, values) / self.count
        return found

    def resamples(self, times: int) -> Iterator[np.ndarray]:
        """Yield `times` resamples: the draws of each cell (integers), the same ones on each call."""
        random, rows = np.random.default_rng(SEED), len(self.cell)
        for _ in range(times):
            if len(self.count) == rows:
                yield np.bincount(random.integers(0, rows, rows), minlength=rows)
            else:
                yield random.multinomial(rows, self.count / rows)


def ranks(score: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Return the rank of each score as integers from 0; equal scores have the same rank.

    Of more than `EXACT` scores, the rank is one of `bins` bins with nearly equally many rows.
    """
    rows = len(score)
    if rows <= EXACT:
        rank: np.ndarray = np.unique(score, return_inverse=True)[1]
        return rank
    below = np.searchsorted(np.sort(score), score)
    return below * bins // rows


def losses(positive: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return the log loss of each row, with probabilities clipped as scikit-learn's `log_loss` does."""
    edge = np.finfo(probability.dtype).eps
    right = np.clip(np.where(positive, probability, 1 - probability), edge, 1 - edge)
    lost: np.ndarray = -np.log(right)
    return lost


def weighted_auc(positive: np.ndarray, rank: np.ndarray, weight: np.ndarray) -> float:
    """Return the ROC AUC of weighted rows: the share of pairs in the right order, ties counting half.

    `rank` comes from `ranks`. The result equals scikit-learn's `roc_auc_score`, which validates its input
    again for each resample.
    """
    positives = np.bincount(rank, weight * positive)
    negatives = np.bincount(rank, weight * ~positive)
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / (positives.sum() * negatives.sum()))


def weighted_precision(positive: np.ndarray, rank: np.ndarray, weight: np.ndarray) -> float:
    """Return the average precision of weighted rows, like scikit-learn's `average_precision_score`."""
    positives = np.bincount(rank, weight * positive)[::-1]
    selected = np.bincount(rank, weight)[::-1].cumsum()
    precision = positives.cumsum() / np.maximum(selected, 1)
    return float((positives * precision).sum() / positives.sum())
