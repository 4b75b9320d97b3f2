"""What validation reports of the accepted rows, column by column, added up over the parts."""

from collections import Counter
from typing import Any

from pipeline.config.contract import Contract

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Of a category without declared values, the report names the commonest.
TOP_VALUES = 20

Facts = dict[str, dict[str, Any]]


def part_facts(table: pa.Table, contract: Contract) -> Facts:
    """Count rows and nulls, and minimum, maximum and sum or the values' counts, of each column of a part."""
    facts: Facts = {}
    for name, column in contract.columns.items():
        values = table[name]
        fact: dict[str, Any] = {"rows": len(values), "nulls": values.null_count}
        if column.type in ("integer", "number"):
            bounds = pc.min_max(values).as_py()
            # numpy's pairwise sum of doubles: its order does not depend on Arrow's threads.
            total = float(np.sum(values.drop_null().to_numpy(), dtype=np.float64))
            fact |= {"minimum": bounds["min"], "maximum": bounds["max"], "sum": total}
        elif column.type == "datetime":
            bounds = pc.min_max(values.cast(pa.int64())).as_py()
            fact |= {"minimum": bounds["min"], "maximum": bounds["max"]}
        elif column.type in ("category", "boolean"):
            counts = pc.value_counts(values.drop_null().combine_chunks())
            fact["counts"] = {_text(pair["values"]): pair["counts"] for pair in counts.to_pylist()}
        facts[name] = fact
    return facts


def merge(parts: list[Facts], contract: Contract) -> Facts:
    """Add the facts of all parts up to shares, bounds and means (6 decimals, means 12 digits at most)."""
    report: Facts = {}
    for name, column in contract.columns.items():
        facts = [part[name] for part in parts]
        rows, nulls = sum(fact["rows"] for fact in facts), sum(fact["nulls"] for fact in facts)
        line: dict[str, Any] = {"null_share": _share(nulls, rows)}
        if "minimum" in facts[0]:
            present = [fact for fact in facts if fact["minimum"] is not None]
            # Plus 0 makes 0.0 of -0.0: which of the two comes out depends on how the rows are cut into parts.
            lowest = min((fact["minimum"] + 0 for fact in present), default=None)
            highest = max((fact["maximum"] + 0 for fact in present), default=None)
            if column.type == "datetime":
                lowest, highest = _date(lowest), _date(highest)
            line |= {"minimum": lowest, "maximum": highest}
        if "sum" in facts[0]:
            total = sum(fact["sum"] for fact in facts)
            line["mean"] = _mean(total, rows - nulls)
        if "counts" in facts[0]:
            counts = sum((Counter(fact["counts"]) for fact in facts), Counter[str]())
            commonest = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:TOP_VALUES]
            line["shares"] = {value: _share(count, rows) for value, count in commonest}
        report[name] = line
    return report


def _share(count: int, rows: int) -> float:
    return round(count / rows, 6) if rows else 0.0


def _mean(total: float, values: int) -> float | None:
    # The last digits of a sum of doubles depend on how the rows are cut into parts, and on the processor.
    return round(float(f"{total / values:.12g}"), 6) if values else None


def _text(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value


def _date(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else str(np.datetime64(milliseconds, "ms"))
