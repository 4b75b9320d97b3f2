"""Finds columns that give the target away: a copy of it is no feature."""

from itertools import combinations

from pipeline.config.contract import Contract

import numpy as np
import pandas as pd

# A value must stand for at least this many rows on average, and a range of values for as many, to count as
# an explanation.
ROWS_PER_VALUE = 20
# With fewer rows of a class than this, an honest column may tell the classes apart by chance.
ROWS_PER_CLASS = 10
# Most columns are acquitted by so many rows, for a hundredth of the cost.
HEAD = 1000


def target_copies(frame: pd.DataFrame, contract: Contract) -> list[str]:
    """Name the features, and the sums of two numeric ones, that determine the target.

    A column does so when it is null on exactly the rows of one class, or when on all rows that have a value
    no value is of both classes, and either there are few values, or (numbers and dates) a threshold or a few
    ranges separate the classes. `frame` holds the target and the features of the contract; it is not changed.
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
        total = numbers[left] + numbers[right]
        if not _tells_nothing(total, target) and _gives_away(total, target, ordered=True):
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
    if min(target.sum(), (~target).sum()) < ROWS_PER_CLASS or _mixed(*_sorted(values[:HEAD], target[:HEAD])):
        return False
    values, target = _sorted(values, target)
    if _mixed(values, target):
        return False
    if (1 + np.count_nonzero(np.diff(values))) * ROWS_PER_VALUE <= len(values):
        return True
    ranges = np.diff(_changes(target), prepend=-1, append=len(target) - 1)
    return ordered and (len(ranges) == 2 or bool(ranges.min() >= ROWS_PER_VALUE))


def _sorted(values: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(values, kind="stable")
    return values[order], target[order]


def _changes(target: np.ndarray) -> np.ndarray:
    """Return the positions after which the class is another."""
    return np.flatnonzero(target[1:] != target[:-1])


def _mixed(values: np.ndarray, target: np.ndarray) -> bool:
    """Whether some value belongs to both classes; the values are sorted."""
    changes = _changes(target)
    return bool(np.any(values[changes] == values[changes + 1]))


def _tells_nothing(values: np.ndarray, target: np.ndarray) -> bool:
    """Whether in a head of many values the classes take turns at least half as often as by chance.

    It spares the many sums of two columns of many rows a look at all of them.
    """
    known = np.flatnonzero(~np.isnan(values))[:HEAD]
    ordered, classes = _sorted(values[known], target[known])
    positives, negatives = classes.sum(), (~classes).sum()
    if min(positives, negatives) < ROWS_PER_VALUE or np.count_nonzero(np.diff(ordered)) < len(ordered) / 2:
        return False
    return bool(len(_changes(classes)) > positives * negatives / len(classes))
