"""Writes rows, in order, to Parquet parts whose bytes depend only on their rows."""

from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.config.errors import PipelineError

import pyarrow as pa
import pyarrow.parquet as pq

# Row groups are cut by count, not at the ends of batches, so that the same rows give the same bytes.
ROW_GROUP = 65_536
FIRST_PART = "part-0.parquet"


def write_part(table: pa.Table, path: Path) -> None:
    """Write a whole table as one part."""
    pq.write_table(table.combine_chunks(), path, compression="zstd", row_group_size=ROW_GROUP)


class PartWriter:
    """Streams tables into the parts of a folder, with at most one row group and one table in memory."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self._folder = folder
        self._schema = schema
        self._name = FIRST_PART
        self._writer: pq.ParquetWriter | None = None
        self._pending: list[pa.Table] = []
        self._rows = 0

    def write(self, table: pa.Table, names: dict[int, str]) -> None:
        """Append rows; `names` has the names of the parts that start with one of them, by its place."""
        for start, stop in pairwise(sorted({0, *names, len(table)})):
            if start in names:
                self._finish()
                self._name = names[start]
            self._pending.append(table.slice(start, stop - start))
            self._rows += stop - start
            while self._rows >= ROW_GROUP:
                self._flush()

    def _flush(self) -> None:
        if self._writer is None:
            if (self._folder / self._name).exists():
                raise PipelineError(f"two rows start the part {self._name}: MongoDB calls their ids equal")
            self._writer = pq.ParquetWriter(self._folder / self._name, self._schema, compression="zstd")
        together = pa.concat_tables(self._pending)
        self._writer.write_table(together.slice(0, ROW_GROUP).combine_chunks())
        rest = together.slice(ROW_GROUP)
        self._pending, self._rows = [rest], len(rest)

    def _finish(self) -> None:
        if self._rows:
            self._flush()
        if self._writer is not None:
            self._writer.close()
        self._writer, self._pending, self._rows = None, [], 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
            if not any(self._folder.iterdir()):
                write_part(self._schema.empty_table(), self._folder / FIRST_PART)
        elif self._writer is not None:
            self._writer.close()
