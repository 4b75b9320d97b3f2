"""The facts that validation reports of the accepted rows, per column, merged over the parts."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from pipeline.config.contract import Contract
from pipeline.config.parameters import value_name

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# How many of the most common values of a column the report lists.
TOP_VALUES = 20
# A day in milliseconds.
DAY = 86_400_000
# The types of columns with moments, and of those with counts of values.
NUMERIC, COUNTED = ("integer", "number", "datetime"), ("category", "boolean")

Facts = dict[str, dict[str, Any]]


def part_facts(table: pa.Table, contract: Contract) -> Facts:
    """Return the facts of each column of a part: rows, nulls, and numeric moments or counts of values.

    The moments are minimum, maximum, sum, and spread: the sum of squared differences from the part's mean.
    Those of a datetime are in milliseconds.
    """
    facts: Facts = {}
    for name, column in contract.columns.items():
        values = table[name]
        fact: dict[str, Any] = {"rows": len(values), "nulls": values.null_count}
        if column.type in NUMERIC:
            fact |= _moments(values.cast(pa.int64()) if column.type == "datetime" else values)
        elif column.type in COUNTED:
            pairs = pc.value_counts(values.drop_null().combine_chunks()).to_pylist()
            fact["counts"] = Counter({value_name(pair["values"]): pair["counts"] for pair in pairs})
        facts[name] = fact
    return facts


def _moments(values: pa.ChunkedArray) -> dict[str, Any]:
    bounds = pc.min_max(values).as_py()
    numbers = values.drop_null().to_numpy().astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        # numpy's pairwise sum: unlike Arrow's, its order does not depend on threads.
        total = float(np.sum(numbers))
        spread = float(np.sum(np.square(numbers - total / max(len(numbers), 1))))
    return {"minimum": bounds["min"], "maximum": bounds["max"], "sum": total, "spread": spread}


def merge(parts: Iterable[Facts], contract: Contract) -> Facts:
    """Return the shares, bounds, means and standard deviations of all parts together.

    Shares have 6 decimals; see `_rounded` for other numbers. The standard deviation of dates is in days. One
    part is in memory at a time.
    """
    totals = part_facts(contract.arrow().empty_table(), contract)
    for part in parts:
        for name, fact in part.items():
            _add(totals[name], fact)
    return {name: _reported(totals[name], column.type) for name, column in contract.columns.items()}


def _add(total: dict[str, Any], part: dict[str, Any]) -> None:
    """Add the facts of a part's column to a total, which is changed."""
    if "counts" in total:
        total["counts"].update(part["counts"])
    elif part.get("minimum") is not None:
        if total["minimum"] is None:
            total |= {key: part[key] for key in ("minimum", "maximum", "sum", "spread")}
        else:
            old, new = total["rows"] - total["nulls"], part["rows"] - part["nulls"]
            # Each spread is about its own mean (Chan et al., 1983). A product instead of a power, which would
            # raise when it overflows.
            apart = part["sum"] / new - total["sum"] / old
            total["spread"] += part["spread"] + old * new / (old + new) * apart * apart
            total["sum"] += part["sum"]
            total["minimum"] = min(total["minimum"], part["minimum"])
            total["maximum"] = max(total["maximum"], part["maximum"])
    total["rows"] += part["rows"]
    total["nulls"] += part["nulls"]


def _reported(fact: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the report of a column whose facts are those of all rows."""
    line: dict[str, Any] = {"null_share": _share(fact["nulls"], fact["rows"])}
    if kind in NUMERIC:
        line |= dict.fromkeys(("minimum", "maximum", "mean", "standard_deviation"))
        if count := fact["rows"] - fact["nulls"]:
            # Adding 0 turns -0.0 into 0.0: which of the two is the minimum depends on the parts.
            line["minimum"], line["maximum"] = fact["minimum"] + 0, fact["maximum"] + 0
            largest = max(abs(fact["minimum"]), abs(fact["maximum"]))
            line["mean"] = _rounded(fact["sum"] / count, largest)
            line["standard_deviation"] = _rounded(math.sqrt(fact["spread"] / count), largest)
            if kind == "datetime":
                for name in ("minimum", "maximum", "mean"):
                    line[name] = str(np.datetime64(int(line[name]), "ms"))
                line["standard_deviation"] = round(line["standard_deviation"] / DAY, 6)
    elif kind in COUNTED:
        commonest = sorted(fact["counts"].items(), key=lambda pair: (-pair[1], pair[0]))[:TOP_VALUES]
        line["shares"] = {value: _share(count, fact["rows"]) for value, count in commonest}
    return line


def _share(count: int, rows: int) -> float:
    return round(count / rows, 6) if rows else 0.0


def _rounded(value: float, largest: float) -> float | None:
    """Round to 12 digits of the column's largest value, and to 6 decimals or 7 digits of it at most.

    The last digits of a sum of doubles depend on the parts and on the processor. Returns None for a value
    that is too large for a double.
    """
    if not math.isfinite(value):
        return None
    exponent = math.floor(math.log10(largest)) if largest else 0
    return round(value, min(11 - exponent, max(6, 6 - exponent))) + 0.0
