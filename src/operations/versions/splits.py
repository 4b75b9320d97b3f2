"""Reads the train and test rows of a commit, from the cache or the remote."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from operations.git_and_dvc.dvc_remotes import files_of
from pipeline.config.errors import PipelineError

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def split_parts(commit: str | None, *folders: Path, columns: tuple[str, ...] = ()) -> Iterator[pa.Table]:
    """Yield the parts of splits of a commit (None: the workspace), in order.

    Missing `columns` are left out; without `columns`, all are read.

    Raises:
        PipelineError: neither the cache nor the remote has them.
    """
    with files_of(commit) as files:
        for folder in folders:
            for path in sorted(files.find(str(folder))):
                with files.open(path, "rb") as part:
                    yield pq.ParquetFile(part).read(list(columns) or None)


def read_commit_split(commit: str | None, folder: Path, *columns: str) -> pd.DataFrame:
    """Read the train or test split of a commit (see `split_parts`).

    Raises:
        PipelineError: neither the cache nor the remote has it, or it is damaged.
    """
    try:
        frame: pd.DataFrame = pa.concat_tables(split_parts(commit, folder, columns=columns)).to_pandas()
    except PipelineError as error:
        where = f"of commit {commit[:10]}" if commit else "of this workspace"
        why = type(error.__cause__).__name__
        raise PipelineError(f"{folder} {where} cannot be read ({why}): 'dvc pull'") from None
    return frame


@lru_cache(maxsize=3)
def cached_commit_split(commit: str, folder: Path, *columns: str) -> pd.DataFrame:
    """Read a split as `read_commit_split` does, cached: it may come from the remote, and never changes."""
    return read_commit_split(commit, folder, *columns)
