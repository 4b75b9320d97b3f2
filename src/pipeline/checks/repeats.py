"""Finds the rows that repeat the id of a row before them, with a bounded number of ids in memory."""

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import IO

from pipeline.data.ids import hashes

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# The hashes of ids that are sorted at once, and those that are read at once.
SORTED, READ = 4_000_000, 1_000_000


@dataclass(frozen=True)
class Span:
    """Whether the texts of a part's ids rise from row to row, and the first and the last of them."""

    rises: bool
    first: str | None
    last: str | None


def span(ids: pa.ChunkedArray) -> Span:
    """Return the span of the ids of a part."""
    if not len(ids):
        return Span(rises=True, first=None, last=None)
    rises = pc.all(pc.less(ids[:-1], ids[1:])).as_py() is not False
    return Span(rises, ids[0].as_py(), ids[-1].as_py())


def repeated_rows(
    paths: Sequence[Path], spans: Sequence[Span], column: str, executor: Executor
) -> dict[Path, list[int]]:
    """Return by part the rows whose id is that of a row before them; `column` holds the ids.

    Parts are in MongoDB's order of the ids, which is that of their texts for strings and ObjectIds. If the
    texts rise from the first row to the last, no id repeats. For other types, ids with equal hashes are
    compared.
    """
    if _rise(spans):
        return {}
    with tempfile.TemporaryFile(dir=paths[0].parent.parent) as file:
        for of_part in executor.map(partial(_hashes, column), paths):
            file.write(of_part.tobytes())
        twice = _twice(file)
    return _same_ids(paths, column, twice) if len(twice) else {}


def _rise(spans: Sequence[Span]) -> bool:
    ends = [(each.first, each.last) for each in spans if each.first is not None]
    return all(each.rises for each in spans) and all(
        str(last) < str(first) for (_, last), (first, _) in pairwise(ends)
    )


def _hashes(column: str, path: Path) -> np.ndarray:
    return hashes(_ids(column, path), b"repeat")


def _ids(column: str, path: Path) -> pa.ChunkedArray:
    return pq.ParquetFile(path).read([column], use_threads=False)[column]


def _twice(file: IO[bytes]) -> np.ndarray:
    """Return the hashes that occur more than once in a file. Each pass sorts those of one remainder."""
    passes = 1 + file.tell() // (8 * SORTED)
    found = []
    for remainder in range(passes):
        file.seek(0)
        some = []
        while len(read := np.fromfile(file, np.uint64, READ)):
            some.append(read[read % passes == remainder])
        in_order = np.sort(np.concatenate(some))
        found.append(np.unique(in_order[1:][in_order[1:] == in_order[:-1]]))
    return np.concatenate(found)


def _same_ids(paths: Sequence[Path], column: str, twice: np.ndarray) -> dict[Path, list[int]]:
    seen: set[str] = set()
    repeated: defaultdict[Path, list[int]] = defaultdict(list)
    for path in paths:
        ids = _ids(column, path)
        rows = np.flatnonzero(np.isin(hashes(ids, b"repeat"), twice))
        for row, text in zip(rows.tolist(), ids.take(pa.array(rows)).to_pylist(), strict=True):
            if text in seen:
                repeated[path].append(row)
            seen.add(text)
    return dict(repeated)
