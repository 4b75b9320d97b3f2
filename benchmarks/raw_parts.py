"""Writes generated customers as the parts of artifacts/raw, cut as ingestion cuts them."""

from pathlib import Path

from pipeline.config.contract import Contract
from pipeline.data.ids import hashes
from pipeline.data.parts import write_part

import numpy as np
import pyarrow as pa
from generator import customers

AT_ONCE = 200_000


def write_rising(contract: Contract, count: int, rows_per_part: int, folder: Path) -> None:
    """Write `count` customers with rising ids; the tables in memory have a bounded number of rows."""
    pending = [contract.arrow().empty_table()]
    for start in range(0, count, AT_ONCE):
        pending.append(customers(contract, start, min(AT_ONCE, count - start)))
        *complete, rest = cut(pa.concat_tables(pending), contract, rows_per_part)
        for part in complete:
            write(part, contract, folder)
        pending = [rest]
    write(pending[0], contract, folder)


def cut(table: pa.Table, contract: Contract, rows_per_part: int) -> list[pa.Table]:
    """Return the parts of rows in the order of their ids; the first row starts a part."""
    starts = boundaries(table[contract.id], rows_per_part)
    stops = [*starts[1:].tolist(), len(table)]
    return [table.slice(start, stop - start) for start, stop in zip(starts.tolist(), stops, strict=True)]


def boundaries(ids: pa.ChunkedArray, rows_per_part: int) -> np.ndarray:
    """Return the rows that start a part, of which row 0 is one."""
    return np.unique(np.append(0, np.flatnonzero(hashes(ids, b"part") % rows_per_part == 0)))


def write(part: pa.Table, contract: Contract, folder: Path) -> None:
    """Write a part, named by its first id."""
    if len(part):
        write_part(part, folder / f"part-{part[contract.id][0]}.parquet")
