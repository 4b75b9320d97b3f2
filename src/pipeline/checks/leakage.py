"""Finds columns that leak the target: a column that alone ranks it almost perfectly.

The score of a column is the ROC AUC of the best rule over that column alone. A rule ranks by the column's
order, or by the share of positives of each value or short range of values; null counts as a value. The shares
are learned on one half of the rows and scored on the other, in both directions, so that a column with many
values does not score well by chance.
"""

from collections.abc import Iterator

from pipeline.checks.sample import positive
from pipeline.config.contract import Contract

import numpy as np
import pyarrow as pa

# A warning names columns with at least this ROC AUC.
WARN = 0.97
# With fewer rows of a class, an honest column may separate the classes by chance.
ROWS_PER_CLASS = 10
# A rule must also predict the rarer class with this F1 score. If positives are rare, an honest column may
# have a ROC AUC close to 1 with low precision; a copy of the target has a high precision.
PRECISE = 0.85
# How many rows with neighbouring values form a range.
ROWS_PER_RANGE = 10
# A sum of two columns is scored on HEAD rows of each class, and on all rows if that score is PROMISING.
HEAD, PROMISING = 1_000, 0.8
# At most this many sums are scored: those that separate the two classes best.
MAX_SUMS = 2_000
# The sum of two strong honest columns may come close to the maximum. So sums have a higher maximum: its
# distance to 1 is this share of that of a single column.
MARGIN_OF_SUMS = 0.2

CHANCE = 0.5
EQUAL = np.ones(2)


def suspicious(
    rows: pa.Table, contract: Contract, maximum: float, classes: tuple[int, int] | None = None
) -> dict[str, float]:
    """Return the ROC AUC, by name, of each feature that alone has `WARN` or exceeds `maximum`.

    Sums of two numeric features below `maximum` follow, if they exceed the maximum of sums. `rows` have the
    target and the features of the contract. If they are a sample, `classes` are the numbers of negatives and
    of positives in all rows.
    """
    target = positive(rows, contract)
    sampled = np.bincount(target, minlength=2)
    weights = np.asarray(classes or sampled) / np.maximum(sampled, 1)
    # An unusual seed: synthetic data drawn with the same seed would depend on the half.
    half = np.random.default_rng(0x5EED_0F_1EA5).random(len(target)) < 0.5
    numbers: dict[str, np.ndarray] = {}
    found = {}
    for name, column in contract.features.items():
        values = doubles(rows[name], column.type)
        score = separation(values, target, half, column.type != "category", weights)
        if score >= WARN or score > maximum:
            found[name] = score
        if score <= maximum and column.type in ("integer", "number", "boolean"):
            numbers[name] = values
    for left, right in _promising_sums(numbers, target, half):
        score = separation(numbers[left] + numbers[right], target, half, ordered=True, weights=weights)
        if score > 1 - MARGIN_OF_SUMS * (1 - maximum):
            found[f"{left} + {right}"] = score
    return found


def separation(
    values: np.ndarray, target: np.ndarray, half: np.ndarray, ordered: bool, weights: np.ndarray = EQUAL
) -> float:
    """Return the ROC AUC of the best rule over one column, or 0.5 if no rule is precise.

    `values` are doubles with NaN for null. `target` and `half` (the rows to learn from) are booleans. All
    have the shape (rows,). `weights` are those of a negative and of a positive row, shape (2,). A column with
    nulls is also scored on only the rows with a value.
    """
    order = np.argsort(values)  # null comes last
    values, code = values[order], 2 * half[order] + target[order]
    known = len(values) - np.count_nonzero(np.isnan(values))
    first = np.flatnonzero(np.diff(values[:known], prepend=np.nan) != 0)
    value = np.repeat(np.arange(len(first)), np.diff(first, append=known))
    # Values that mostly occur once do not predict other rows.
    cells = [value] if 2 * len(first) <= known or not ordered else []
    if ordered:
        cells.append((first // ROWS_PER_RANGE)[value])
    scores = [CHANCE]
    for cell in cells:
        counts = _counts(cell, code[:known]) * weights
        scores.append(_learned(counts))
        if known < len(values):
            null = np.bincount(code[known:], minlength=4).reshape(1, 2, 2) * weights
            scores.append(_learned(np.concatenate([counts, null])))
    if ordered:
        in_order = _counts(value, code[:known]).sum(axis=1) * weights
        scores += [_auc(in_order), _auc(in_order[::-1])]
    return max(scores)


def _counts(cell: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Count the rows of each cell by half and class, shape (cells, 2, 2)."""
    cells = int(cell.max(initial=-1)) + 1
    return np.bincount(4 * cell + code, minlength=4 * cells).reshape(-1, 2, 2)


def _learned(counts: np.ndarray) -> float:
    """Rank the cells by their share of positives in one half; return the mean ROC AUC in the other half."""
    scores = []
    for learn, score in ((0, 1), (1, 0)):
        positives = counts[:, learn, 1]
        rows = counts[:, learn, 0] + positives
        if not rows.any():
            return CHANCE
        # One row of the base rate is added to each cell, so that a cell without a row has that rate.
        share = (positives + positives.sum() / rows.sum()) / (rows + 1)
        order = np.argsort(share)
        starts = np.flatnonzero(np.diff(share[order], prepend=-1))
        scores.append(_auc(np.add.reduceat(counts[order, score], starts)))
    return sum(scores) / 2


def _auc(counts: np.ndarray) -> float:
    """Return the ROC AUC of a ranking if it is high and precise, else 0.5.

    `counts` are the negatives and positives of each rank, the lowest first, shape (ranks, 2).
    """
    below = np.cumsum(counts, axis=0)
    negatives, positives = below[-1].tolist() if len(below) else (0, 0)
    if min(negatives, positives) < ROWS_PER_CLASS / 2:
        return CHANCE
    # A pair of equal rank counts half. Twice the pairs are whole numbers, unless the rows are a sample.
    pairs = int(np.sum(counts[:, 1] * (2 * below[:, 0] - counts[:, 0])))
    auc = pairs / (2 * positives * negatives)
    if auc < PROMISING:
        return CHANCE
    # F1 of each threshold, which is above a rank, for the rarer class.
    if positives <= negatives:
        found, predicted = positives - below[:, 1], (positives + negatives) - below.sum(axis=1)
    else:
        found, predicted = below[:, 0], below.sum(axis=1)
    return auc if (2 * found / (min(positives, negatives) + predicted)).max() >= PRECISE else CHANCE


def _promising_sums(
    numbers: dict[str, np.ndarray], target: np.ndarray, half: np.ndarray
) -> Iterator[tuple[str, str]]:
    """Yield the pairs of columns whose sum separates the classes well on a sample of the rows."""
    classes = [np.flatnonzero(target), np.flatnonzero(~target)]
    if min(map(len, classes)) < ROWS_PER_CLASS or len(numbers) < 2:
        return
    rows = np.concatenate([one[:: -(-len(one) // HEAD)] for one in classes])
    names = sorted(numbers)
    head, target, half = np.stack([numbers[name][rows] for name in names]), target[rows], half[rows]
    for left, right in _furthest_apart(head, target):
        if separation(head[left] + head[right], target, half, ordered=True) >= PROMISING:
            yield names[left], names[right]


def _furthest_apart(head: np.ndarray, target: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield at most `MAX_SUMS` pairs of columns: those whose sum has the largest Fisher ratio."""
    left, right = np.triu_indices(len(head), 1)
    if len(left) > MAX_SUMS:
        filled = np.nan_to_num(head - np.nanmean(head, axis=1, keepdims=True))
        apart = filled[:, target].mean(axis=1) - filled[:, ~target].mean(axis=1)
        within = np.cov(filled[:, target]) + np.cov(filled[:, ~target])
        spread = np.diag(within)
        spread_of_sum = spread[left] + spread[right] + 2 * within[left, right]
        # The spread of a sum that is constant within each class is 0 except for rounding.
        smallest = 1e-12 * (spread[left] + spread[right]) + np.finfo(float).tiny
        ratio = (apart[left] + apart[right]) ** 2 / np.maximum(spread_of_sum, smallest)
        best = np.sort(np.argsort(-ratio, kind="stable")[:MAX_SUMS])
        left, right = left[best], right[best]
    yield from zip(left.tolist(), right.tolist(), strict=True)


def doubles(values: pa.ChunkedArray, kind: str) -> np.ndarray:
    """Return a column as doubles with NaN for null: categories as codes, dates as milliseconds."""
    if kind == "category":
        values = values.combine_chunks().dictionary_encode().indices
    elif kind == "datetime":
        values = values.cast(pa.int64())
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
