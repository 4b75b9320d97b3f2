"""The bootstrap of rows, and fast scores of weighted rows for a thousand resamples.

A resample is the number of draws of each row (Efron, Bootstrap Methods, 1979), so the score of a resample is
a score with weights.
"""

from collections.abc import Iterator

import numpy as np

RESAMPLES, SEED = 1_000, 0


def resamples(rows: int, times: int = RESAMPLES) -> Iterator[np.ndarray]:
    """Yield `times` resamples of `rows` rows (integers, shape (rows,)), the same ones on each call."""
    random = np.random.default_rng(SEED)
    for _ in range(times):
        yield np.bincount(random.integers(0, rows, rows), minlength=rows)


def ranks(score: np.ndarray) -> np.ndarray:
    """Return the rank of each score as integers from 0; equal scores have the same rank."""
    rank: np.ndarray = np.unique(score, return_inverse=True)[1]
    return rank


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
