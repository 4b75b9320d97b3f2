"""Checks rows against the contract: nulls, ranges, allowed values."""

from collections.abc import Callable, Iterator

from pipeline.config.contract import Column, Contract
from pipeline.data.artifacts import LONGEST, shortened

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Returns which values break a rule (bool, shape (rows,)). Only the rule of nulls rejects a null.
Breaks = Callable[[pa.Array], np.ndarray]
NO_ROW = np.zeros(0, dtype=bool)


def _rules(column: Column) -> Iterator[tuple[Breaks, str]]:
    """Yield the rules of a column, each with the reason for values that break it."""
    if not column.nullable:
        yield lambda values: _mask(values.is_null()) if values.null_count else NO_ROW, "but it is required"
    if column.type == "number":
        yield lambda values: ~np.isfinite(_numbers(values)), "not a finite number"
    if (least := column.minimum) is not None:
        yield lambda values: _numbers(values, least) < least, f"below the minimum {least}"
    if (most := column.maximum) is not None:
        yield lambda values: _numbers(values, most) > most, f"above the maximum {most}"
    if column.values is not None:
        allowed = pa.array([*column.values, None], pa.string())
        yield (
            lambda values: ~_mask(pc.is_in(values, value_set=allowed)),
            f"not one of {', '.join(column.values)}",
        )
    elif column.type == "category":
        yield lambda values: _mask(pc.equal(values, "").fill_null(False)), "an empty text"


def _mask(values: pa.Array) -> np.ndarray:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=bool)


def _numbers(values: pa.Array, bound: float | None = None) -> np.ndarray:
    # numpy compares 64-bit integers exactly. A null becomes a value that breaks no rule.
    numbers: np.ndarray = values.fill_null(0).to_numpy(zero_copy_only=False)
    if bound is None or not values.null_count:
        return numbers
    return np.where(_mask(values.is_null()), bound, numbers.astype(object))


def row_problems(table: pa.Table, contract: Contract) -> dict[int, list[str]]:
    """Return the reasons of each row that breaks the contract, by its position in `table`.

    `table` has the schema `contract.arrow()`; it is not changed.
    """
    problems: dict[int, list[str]] = {}
    for name, column in contract.columns.items():
        values = table[name].combine_chunks()
        for breaks, why in _rules(column):
            with np.errstate(invalid="ignore"):  # NaN is neither below nor above; another rule rejects it
                rows = np.flatnonzero(breaks(values).astype(bool))
            if not len(rows):
                continue
            broken = values.take(pa.array(rows))
            if pa.types.is_string(broken.type):  # a text may have megabytes
                broken = pc.utf8_slice_codeunits(broken, 0, LONGEST + 1)
            for row, value in zip(rows.tolist(), broken.to_pylist(), strict=True):
                state = "is null" if value is None else f"is {shortened(repr(value))}"
                problems.setdefault(row, []).append(f"{name}: {state}, {why}")
    return problems
