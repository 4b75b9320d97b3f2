"""Partial dependence: the mean probability when a column has the same value in all rows."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

# The number of values of a column, and of rows in the mean.
VALUES, ROWS = 10, 100


def partial_dependence(
    model: Pipeline, features: pd.DataFrame, columns: list[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return the mean probability by value for each of `columns` (Friedman, 2001), from one prediction.

    The values of a number or a date are those at up to ten evenly spaced ranks. Other columns have their ten
    most common values.
    """
    if not columns:
        return {}
    few = features.iloc[np.unique(np.linspace(0, len(features) - 1, ROWS).astype(int))]
    frames, found = [], {name: _values(features[name]) for name in columns}
    for name, values in found.items():
        tried = few.iloc[np.tile(np.arange(len(few)), len(values))].reset_index(drop=True)
        tried[name] = values.repeat(len(few)).reset_index(drop=True)
        frames.append(tried)
    means = model.predict_proba(pd.concat(frames))[:, 1].reshape(-1, len(few)).mean(axis=1)
    rows = iter(means.tolist())
    return {
        name: [{"value": value, "probability": next(rows)} for value in values]
        for name, values in found.items()
    }


def _values(column: pd.Series) -> pd.Series:
    """Return the values of a column for the partial dependence, with the column's type."""
    present = column.dropna()
    if is_ordered(present):
        ordered = present.sort_values()
        return ordered.iloc[np.linspace(0, len(ordered) - 1, VALUES).astype(int)].drop_duplicates()
    counts = present.rename("value").value_counts().reset_index()
    ordered = counts.sort_values(["count", "value"], ascending=[False, True])["value"]
    return ordered.head(VALUES).astype(column.dtype)


def is_ordered(column: pd.Series) -> bool:
    """Return whether a column holds numbers or dates."""
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return numeric or pd.api.types.is_datetime64_any_dtype(column)
