"""The slices of a column: the name of each row's slice, from a bounded number of names."""

from typing import Any

from pipeline.config.parameters import value_name

import numpy as np
import pandas as pd

# With more values, numbers and dates have quantiles as slices, others the most common values and the rest.
MOST, QUANTILES, REST = 20, 5, "other"


def slice_names(values: pd.Series) -> pd.Series:
    """Return the slice of each row: its value as in params.yaml, 'null', or the name of its bin.

    The names of bins do not depend on the values, so that versions can be compared.
    """
    known = values.dropna()
    if edges := slice_edges(values):
        numbers = np.searchsorted(edges, known)
        named = pd.Series([f"quantile {number + 1} of {QUANTILES}" for number in numbers], known.index)
    else:
        named = known.astype(object).map(value_name)
        if named.nunique() > MOST:
            # Of equally common values, the first by name.
            largest = named.value_counts().sort_index().sort_values(ascending=False, kind="stable")
            named = named.where(named.isin(largest.index[: MOST - 1]), REST)
    return named.reindex(values.index, fill_value="null")


def slice_edges(values: pd.Series) -> list[Any]:
    """Return the largest value of each quantile but the last; empty if the column's values are the slices."""
    known = values.dropna()
    ordered = pd.api.types.is_datetime64_dtype(known) or pd.api.types.is_numeric_dtype(known)
    if not ordered or pd.api.types.is_bool_dtype(known) or known.nunique() <= MOST:
        return []
    shares = [number / QUANTILES for number in range(1, QUANTILES)]
    return list(known.quantile(shares, interpolation="lower"))


def binned(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[str]:
    """Return a text for each column with binned slices."""
    texts = []
    for name in columns:
        if edges := slice_edges(frame[name]):
            texts.append(f"{name} in {QUANTILES} quantiles (to {', '.join(map(str, edges))}, above)")
        elif frame[name].nunique() > MOST:
            texts.append(
                f"{name} by its {MOST - 1} most common of {frame[name].nunique():,} values, and other"
            )
    return texts
