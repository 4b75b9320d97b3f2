"""Each column in the train and in the test rows: nulls, range or categories, histogram, difference."""

from typing import Any

from pipeline.config.contract import Contract
from pipeline.config.parameters import value_name
from pipeline.reporting.effects import is_ordered

import numpy as np
import pandas as pd

BARS, CATEGORIES = 10, 8
# The longest text of a category, in characters.
LONGEST = 40
OTHER = "all others"


def columns(train: pd.DataFrame, test: pd.DataFrame, contract: Contract) -> list[dict[str, Any]]:
    """Return the facts of each feature in both splits.

    `difference` is the largest difference of the cumulative shares (the Kolmogorov-Smirnov statistic) of a
    number or a date, and half the sum of the differences of the shares (the total variation) of other
    columns: 0 for equal splits, 1 for disjoint ones. Nulls are left out.
    """
    found = []
    for name, column in contract.features.items():
        sides = [frame[name].dropna() for frame in (train, test)]
        nulls = [
            (len(frame) - len(side)) / len(frame) for side, frame in zip(sides, (train, test), strict=True)
        ]
        fact: dict[str, Any] = {"column": name, "type": column.type}
        fact |= {"train_nulls": nulls[0], "test_nulls": nulls[1]}
        ordered = column.type in ("integer", "number", "datetime") and all(map(is_ordered, sides))
        found.append(fact | (_numbers(*sides) if ordered else _categories(*sides)))
    return found


def _numbers(train: pd.Series, test: pd.Series) -> dict[str, Any]:
    """Return range, histogram between the 1st and the 99th percentile of train, and difference.

    The first and the last bar also count the values beyond.
    """
    both = [np.sort(_doubles(train)), np.sort(_doubles(test))]
    if not all(map(len, both)):
        return {"bars": [], "difference": None, "range": None}
    low, high = np.quantile(both[0], (0.01, 0.99))
    edges = np.unique(np.linspace(low, high, BARS + 1)) if low < high else np.array([low, low + 1])
    counts = [np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values) for values in both]
    points = np.concatenate(both)
    below = [np.searchsorted(values, points, side="right") / len(values) for values in both]
    as_dates = pd.api.types.is_datetime64_any_dtype(train)
    label = _date if as_dates else _number
    return {
        "bars": [(label(edge), float(a), float(b)) for edge, a, b in zip(edges, *counts, strict=False)],
        "difference": float(np.abs(below[0] - below[1]).max()),
        "range": [label(float(bound)) for values in both for bound in (values[0], values[-1])],
    }


def _categories(train: pd.Series, test: pd.Series) -> dict[str, Any]:
    """Return the shares of the most common values of train and of all others together, and the difference."""
    if not (len(train) and len(test)):
        return {"bars": [], "difference": None, "range": None}
    shares = [values.value_counts(normalize=True) for values in (train, test)]
    both = pd.concat(shares, axis=1, keys=["train", "test"]).fillna(0.0).rename_axis("value").reset_index()
    both["value"] = both["value"].astype(object).map(value_name)
    both = both.sort_values(["train", "test", "value"], ascending=[False, False, True])
    listed, rest = both.head(CATEGORIES), both.iloc[CATEGORIES:]
    bars = [(str(value)[:LONGEST], float(a), float(b)) for value, a, b in listed.itertuples(index=False)]
    if len(rest):
        bars.append((OTHER, float(rest["train"].sum()), float(rest["test"].sum())))
    return {"bars": bars, "difference": float((both["train"] - both["test"]).abs().sum() / 2), "range": None}


def _doubles(values: pd.Series) -> np.ndarray:
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.to_numpy("datetime64[ms]").astype("int64").astype("float64")
    return values.to_numpy("float64")


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1e4 or abs(value) >= 1e7 else f"{value:,.0f}"


def _date(milliseconds: float) -> str:
    return str(np.datetime64(int(milliseconds), "ms"))[:10]
