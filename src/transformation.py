"""Transformation: artifacts/validated/ -> artifacts/features/train/ and artifacts/features/test/.

Each row has the id, the target as 0 or 1, and the columns as the model reads them. A hash of the id decides
whether a customer is in the train or the test split, so this never changes. All preprocessing that is
fitted, or repeated when the model serves, is part of the model.
"""

from functools import partial
from pathlib import Path

from pipeline.config.contract import Contract, load_contract
from pipeline.config.errors import PipelineError
from pipeline.config.parameters import load
from pipeline.config.stages import run_stage
from pipeline.data.artifacts import TEST, TRAIN, VALIDATED, parts
from pipeline.data.atomic import atomic_folder
from pipeline.data.executor import part_executor
from pipeline.data.features import TransformationParameters, features
from pipeline.data.ids import split_shares
from pipeline.data.parts import write_part

import pyarrow as pa
import pyarrow.parquet as pq


def transform_part(
    contract: Contract, test_size: float, train: Path, test: Path, path: Path
) -> tuple[int, int]:
    """Write the train and the test rows of one part under its name; return the number of each."""
    table = features(pq.ParquetFile(path).read(use_threads=False), contract)
    in_test_split = split_shares(table[contract.id]) < test_size
    splits = {test: table.filter(pa.array(in_test_split)), train: table.filter(pa.array(~in_test_split))}
    for folder, rows in splits.items():
        if len(rows):
            write_part(rows, folder / path.name)
    return len(splits[train]), len(splits[test])


def main() -> None:
    """Run the stage."""
    parameters, contract = load("transformation", TransformationParameters), load_contract()
    paths = [path.absolute() for path in parts(VALIDATED)]
    with atomic_folder(TRAIN) as train, atomic_folder(TEST) as test, part_executor(len(paths)) as executor:
        folders = train.absolute(), test.absolute()
        transform = partial(transform_part, contract, parameters.test_size, *folders)
        counts = list(executor.map(transform, paths))
        in_train, in_test = (sum(count) for count in zip(*counts, strict=True))
        if not in_train or not in_test:
            raise PipelineError(
                f"transformation.test_size {parameters.test_size} leaves {in_train:,} rows to train on "
                f"and {in_test:,} to test"
            )
    print(f"transformation: {in_train:,} train and {in_test:,} test rows")


if __name__ == "__main__":
    run_stage(main)
