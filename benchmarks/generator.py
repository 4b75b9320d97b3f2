"""Any number of customers like those of the sample: as rows of a raw part, or as documents of a CRM."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

from pipeline.config.contract import Contract

import numpy as np
import pyarrow as pa

FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)
Ids = Literal["rising", "random"]


def customers(contract: Contract, start: int, count: int, ids: Ids = "rising") -> pa.Table:
    """Return the customers from number `start`, in the order of their ids, with the schema of a raw part.

    A customer depends on its number alone. Ids rise with the number (`C-000000042`), or are hashes of it.
    Categories have their declared values; the target depends on the numbers and on chance.
    """
    numbers = np.arange(start, start + count, dtype=np.uint64)
    signal = np.zeros(count)
    columns: dict[str, Any] = {}
    for place, (name, column) in enumerate(contract.columns.items()):
        share = _uniform(numbers, place + 1)
        if name == contract.target.column:
            continue
        signal += (share - 0.5) * (1 + place % 3)
        null = _uniform(numbers, place + 1_001) < (0.002 if column.nullable else 0)
        if column.type == "category":
            values = pa.array(column.values or [f"value {number}" for number in range(5)])
            columns[name] = values.take(pa.array((share * len(values)).astype(np.int64)))
        elif column.type == "boolean":
            columns[name] = pa.array(share < 0.3)
        elif column.type == "integer":
            columns[name] = pa.array((share * 72).astype(np.int64), mask=null)
        elif column.type == "datetime":
            day = np.datetime64(FIRST_DAY.replace(tzinfo=None), "ms")
            columns[name] = pa.array(day + (share * 2_000).astype("timedelta64[D]"))
        elif column.type == "string":
            columns[name] = pa.array([f"text {value:.6f}" for value in share])
        else:
            columns[name] = pa.array(np.round(18 + share * 100, 2), mask=null)
    # About a quarter is positive, as in the sample.
    chance = 1 / (1 + np.exp(1.2 - signal))
    positive = _uniform(numbers, 0) < chance
    columns[contract.target.column] = pa.array(positive)
    if ids == "rising":
        names = np.char.add("C-", np.char.zfill(numbers.astype(str), 9))
    else:
        names = np.array([f"{value:016x}" for value in _mixed(numbers, 77).tolist()])
    table = pa.table({contract.id: names} | {name: columns[name] for name in contract.columns})
    table = table.cast(contract.arrow())
    return table if ids == "rising" else table.sort_by(contract.id)


def flat_documents(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield rows as the documents that ingestion's projection returns: each column a field of its name."""
    names = table.column_names
    for row in zip(*(table[name].to_pylist() for name in names), strict=True):
        yield dict(zip(names, row, strict=True))


def nested_documents(table: pa.Table, contract: Contract) -> Iterator[dict[str, Any]]:
    """Yield rows as the documents of the collection: each column at its path."""
    for flat in flat_documents(table):
        document: dict[str, Any] = {contract.id: flat[contract.id]}
        for name, column in contract.columns.items():
            *parents, last = column.path.split(".")
            place = document
            for parent in parents:
                place = place.setdefault(parent, {})
            place[last] = flat[name]
        yield document


def _mixed(numbers: np.ndarray, salt: int) -> np.ndarray:
    """Return a 64-bit hash of each number (uint64): the finalizer of SplitMix64 (Steele et al., 2014)."""
    with np.errstate(over="ignore"):
        value = numbers + np.uint64(salt) * np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return value ^ (value >> np.uint64(31))


def _uniform(numbers: np.ndarray, salt: int) -> np.ndarray:
    return (_mixed(_mixed(numbers, salt), salt + 1) >> np.uint64(11)) / 2**53
