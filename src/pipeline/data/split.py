"""The split into train and test rows, by a hash of the id."""

from pipeline.config.parameters import Section
from pipeline.data.ids import split_share

import numpy as np
import pyarrow as pa
from pydantic import Field


class TransformationParameters(Section):
    """The section `transformation` of params.yaml."""

    test_size: float = Field(default=0.2, gt=0, lt=1)


def is_test(ids: pa.ChunkedArray, test_size: float) -> np.ndarray:
    """Say for each id whether it is on the test side (bool, shape (rows,))."""
    return np.array([split_share(text) < test_size for text in ids.to_pylist()], dtype=bool)
