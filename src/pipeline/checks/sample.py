"""The rows on which validation searches for leakage: all of them, or a sample whose size is bounded."""

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

from pipeline.config.contract import Contract
from pipeline.data.ids import hashes

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# A sample has at most about this many rows and this many values.
ROWS, VALUES = 200_000, 10_000_000


def shares(negatives: int, positives: int, columns: int) -> tuple[float, float]:
    """Return the shares of all negatives and of all positives that a sample with `columns` columns has.

    The rarer class fills up to half of the sample, and is whole if it is smaller, so that it has enough rows.
    """
    most = min(ROWS, VALUES // columns)
    fewer, more = sorted((negatives, positives))
    of_fewer = min(1.0, most / 2 / max(fewer, 1))
    of_more = min(1.0, (most - of_fewer * fewer) / max(more, 1))
    return (of_fewer, of_more) if negatives == fewer else (of_more, of_fewer)


def sample(
    paths: Sequence[Path], contract: Contract, classes: tuple[int, int], executor: Executor
) -> pa.Table:
    """Return the target and the features of sampled rows, in the order of the parts.

    `classes` are the numbers of negatives and of positives in all parts. A hash of the id decides whether a
    row is sampled, so the sample does not depend on the division into parts.
    """
    take = partial(_sampled, contract, shares(*classes, len(contract.features)))
    columns = [contract.target.column, *contract.features]
    return pa.concat_tables([contract.arrow().empty_table().select(columns), *executor.map(take, paths)])


def _sampled(contract: Contract, of_classes: tuple[float, float], path: Path) -> pa.Table:
    columns = [contract.target.column, *contract.features]
    if min(of_classes) >= 1:
        return pq.ParquetFile(path).read(columns, use_threads=False)
    table = pq.ParquetFile(path).read([contract.id, *columns], use_threads=False)
    share = np.asarray(of_classes)[positive(table, contract).astype(int)]
    # 48 bits are exact in a double.
    keep = hashes(table[contract.id], b"leakage", 6) / 2**48 < share
    return table.select(columns).filter(pa.array(keep))


def positive(table: pa.Table, contract: Contract) -> np.ndarray:
    """Return which rows are positive (bool, shape (rows,)); the target has no null."""
    values = table[contract.target.column]
    equal = pc.equal(values, pa.scalar(contract.target.positive, values.type))
    return np.asarray(equal.to_numpy(), dtype=bool)
