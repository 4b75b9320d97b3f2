"""Reads a split of artifacts/features/ for the model."""

from collections.abc import Collection
from pathlib import Path

from pipeline.config.contract import Contract
from pipeline.data.artifacts import parts

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def read_split(
    folder: Path, columns: Collection[str] | None = None, categories: Collection[str] = ()
) -> pd.DataFrame:
    """Return all rows of a split, in the order of the ids, with `columns` or all that transformation wrote.

    The columns `categories` become categoricals of pandas, which take a byte or two per row in place of text.

    Raises:
        PipelineError: there is no part.
        KeyError: a column is missing.
    """
    wanted = None if columns is None else [*columns]
    coded = [*categories] or None
    # Unlike `read_table`, a file leaves out a missing column, which pandas reports below.
    tables = [pq.ParquetFile(path, read_dictionary=coded).read(wanted) for path in parts(folder)]
    table = pa.concat_tables(tables).unify_dictionaries()
    del tables
    # Each column leaves Arrow's memory when pandas has it.
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    del table
    pa.default_memory_pool().release_unused()
    return frame if wanted is None else frame[wanted]


def read_features(folder: Path, contract: Contract) -> tuple[pd.DataFrame, pd.Series]:
    """Return the feature columns, with categories as categoricals, and the target (int8, 1 is positive)."""
    name = contract.target.column
    categories = [each for each, column in contract.features.items() if column.type == "category"]
    frame = read_split(folder, [*contract.features, name], categories)
    target = frame.pop(name)
    return frame, target


def read_sample(folder: Path, most: int) -> tuple[pd.DataFrame, int]:
    """Return up to `most` evenly spaced rows of a split, and the number of all its rows.

    A few parts are in memory at a time.
    """
    # Imported here, since training does not need it.
    from pyarrow.dataset import dataset

    rows = dataset(parts(folder))
    total = rows.count_rows()
    chosen = np.unique(np.linspace(0, total - 1, min(most, total)).astype(int))
    frame: pd.DataFrame = rows.take(chosen).to_pandas()
    return frame, total
