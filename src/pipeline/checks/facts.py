"""The facts that validation reports of the accepted rows, per column, merged over the parts."""

import math
from collections import Counter
from typing import Any

from pipeline.config.contract import Contract

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# How many of the most common values of a column the report lists.
TOP_VALUES = 20
# A day in milliseconds.
DAY = 86_400_000

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
        if column.type in ("integer", "number"):
            fact |= _moments(values)
        elif column.type == "datetime":
            fact |= _moments(values.cast(pa.int64()))
        elif column.type in ("category", "boolean"):
            counts = pc.value_counts(values.drop_null().combine_chunks())
            fact["counts"] = {_text(pair["values"]): pair["counts"] for pair in counts.to_pylist()}
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


def merge(parts: list[Facts], contract: Contract) -> Facts:
    """Return the shares, bounds, means and standard deviations of all parts together.

    Shares have 6 decimals; see `_rounded` for other numbers. The standard deviation of dates is in days.
    """
    report: Facts = {}
    for name, column in contract.columns.items():
        facts = [part[name] for part in parts]
        rows, nulls = sum(fact["rows"] for fact in facts), sum(fact["nulls"] for fact in facts)
        line: dict[str, Any] = {"null_share": _share(nulls, rows)}
        if "minimum" in facts[0]:
            present = [fact for fact in facts if fact["minimum"] is not None]
            # Adding 0 turns -0.0 into 0.0: which of the two is the minimum depends on the parts.
            lowest = min((fact["minimum"] + 0 for fact in present), default=None)
            highest = max((fact["maximum"] + 0 for fact in present), default=None)
            mean, deviation = _mean_and_deviation(present)
            line |= {"minimum": lowest, "maximum": highest, "mean": mean, "standard_deviation": deviation}
            if column.type == "datetime":
                line |= {name: _date(line[name]) for name in ("minimum", "maximum", "mean")}
                line["standard_deviation"] = None if deviation is None else round(deviation / DAY, 6)
        if "counts" in facts[0]:
            counts = sum((Counter(fact["counts"]) for fact in facts), Counter[str]())
            commonest = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:TOP_VALUES]
            line["shares"] = {value: _share(count, rows) for value, count in commonest}
        report[name] = line
    return report


def _share(count: int, rows: int) -> float:
    return round(count / rows, 6) if rows else 0.0


def _mean_and_deviation(parts: list[dict[str, Any]]) -> tuple[float | None, float | None]:
    counts = [part["rows"] - part["nulls"] for part in parts]
    if not (count := sum(counts)):
        return None, None
    mean = sum(part["sum"] for part in parts) / count
    # Each part's spread is about its own mean. A product instead of a power: it overflows without raising.
    spread = sum(
        part["spread"] + rows * (part["sum"] / rows - mean) * (part["sum"] / rows - mean)
        for rows, part in zip(counts, parts, strict=True)
    )
    largest = max(abs(part[bound]) for part in parts for bound in ("minimum", "maximum"))
    return _rounded(mean, largest), _rounded(math.sqrt(spread / count), largest)


def _rounded(value: float, largest: float) -> float | None:
    """Round to 12 digits of the column's largest value, and to 6 decimals or 7 digits of it at most.

    The last digits of a sum of doubles depend on the parts and on the processor. Returns None for a value
    that is too large for a double.
    """
    if not math.isfinite(value):
        return None
    exponent = math.floor(math.log10(largest)) if largest else 0
    return round(value, min(11 - exponent, max(6, 6 - exponent))) + 0.0


def _text(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value


def _date(milliseconds: float | None) -> str | None:
    return None if milliseconds is None else str(np.datetime64(int(milliseconds), "ms"))
