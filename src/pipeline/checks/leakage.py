"""Finds columns that give the target away: a copy of it is no feature."""

from itertools import combinations

import numpy as np
import pandas as pd

from pipeline.contract import Contract

# A value must stand for at least this many rows on average to count as an explanation.
ROWS_PER_VALUE = 20
# With fewer rows of a class than this, an honest column may tell the classes apart by chance.
ROWS_PER_CLASS = 10


def target_copies(frame: pd.DataFrame, contract: Contract) -> list[str]:
    """Name the features, and the sums of two numeric ones, that determine the target.

    A column does so when it is null on exactly the rows of one class, or when on all rows that have a value
    a threshold separates the classes (numbers and dates) or, with few values, each belongs to one class.
    `frame` holds the target and the features of the contract; it is not changed.
    """
    target = (frame[contract.target.column] == contract.target.positive).to_numpy(dtype=bool)
    numbers: dict[str, np.ndarray] = {}
    found = []
    for name, column in contract.features.items():
        values = _numbers(frame[name], column.type)
        if column.type in ("integer", "number", "boolean"):
            numbers[name] = values
        if _gives_away(values, target, ordered=column.type != "category"):
            found.append(name)
    for left, right in combinations(sorted(set(numbers) - set(found)), 2):
        if _gives_away(numbers[left] + numbers[right], target, ordered=True):
            found.append(f"{left} + {right}")
    return found


def _numbers(values: pd.Series, kind: str) -> np.ndarray:
    """Return a column as doubles, and null as NaN: categories by number, dates by milliseconds."""
    if kind == "category":
        codes = pd.factorize(values)[0]
        return np.where(codes < 0, np.nan, codes)
    if kind == "datetime":
        return np.where(values.isna(), np.nan, values.to_numpy().astype("datetime64[ms]").astype(np.int64))
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _gives_away(values: np.ndarray, target: np.ndarray, ordered: bool) -> bool:
    null = np.isnan(values)
    if null.any():
        if _determines(null, target, ordered=False):
            return True
        values, target = values[~null], target[~null]
    return _determines(values, target, ordered)


def _determines(values: np.ndarray, target: np.ndarray, ordered: bool) -> bool:
    if min(target.sum(), (~target).sum()) < ROWS_PER_CLASS:
        return False
    # Most columns are acquitted by their first thousand rows, for a hundredth of the cost.
    head = slice(1000)
    if ordered and _separated(values[head], target[head]) and _separated(values, target):
        return True
    return _pure(values[head], target[head], 2) and _pure(values, target, ROWS_PER_VALUE)


def _separated(values: np.ndarray, target: np.ndarray) -> bool:
    """Whether some threshold has one class below it and the other above it."""
    positive, negative = values[target], values[~target]
    if not len(positive) or not len(negative):
        return True
    return bool(positive.min() > negative.max() or positive.max() < negative.min())


def _pure(values: np.ndarray, target: np.ndarray, rows_per_value: int) -> bool:
    """Whether there are few distinct values, and each belongs to one class."""
    distinct, codes = np.unique(values, return_inverse=True)
    if len(distinct) * rows_per_value > len(values):
        return False
    positives = np.bincount(codes, weights=target)
    return bool(np.all((positives == 0) | (positives == np.bincount(codes))))
