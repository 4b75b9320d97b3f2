"""Checks all sections of params.yaml, against the schema and each other, before any stage runs.

It needs scikit-learn, whose import takes seconds, so `pipeline check` runs this module as a process.
"""

from datetime import datetime
from typing import Any

from operations.versions.parameters import MLflowParameters
from pipeline.checks.parameters import ValidationParameters
from pipeline.config.contract import Column, Contract, load_contract
from pipeline.config.errors import run_main
from pipeline.config.parameters import load
from pipeline.data.features import TransformationParameters, features
from pipeline.modelling.models import build, check_derived
from pipeline.modelling.parameters import EvaluationParameters, TrainingParameters, check_slices
from pipeline.source.parameters import IngestionParameters

import pandas as pd
import pyarrow as pa

# Example values of each type, for columns whose values or bounds are not in the schema.
EXAMPLES: dict[str, list[Any]] = {
    "integer": [1, 2, 3],
    "number": [1.5, 2.0, 3.25],
    "boolean": [True, False, True],
    "category": ["a", "b", "a"],
    "datetime": [datetime(2020, 1, 31), datetime(2021, 6, 1), datetime(2022, 12, 24)],  # noqa: DTZ001 - as Arrow
    "string": ["a", "b", "c"],
}


def parameters() -> str:
    """Read every section, and compute the derived features of a few example rows.

    Raises:
        ConfigurationError: a stage would refuse its section.
    """
    contract = load_contract()
    source = load("ingestion", IngestionParameters)
    load("validation", ValidationParameters)
    load("transformation", TransformationParameters)
    training, evaluation = load("training", TrainingParameters), load("evaluation", EvaluationParameters)
    load("mlflow", MLflowParameters)
    check_slices(evaluation, contract)
    check_derived(example_rows(contract), contract, training.derived_features)
    block = getattr(training, training.algorithm)
    build(contract, training.algorithm, block, training.derived_features, training.random_state)
    return (
        f"{source.database}.{source.collection}, {len(contract.features)} features and "
        f"{len(training.derived_features)} derived ones, {training.algorithm}"
    )


def example_rows(contract: Contract) -> pd.DataFrame:
    """Return the feature columns of three rows that are valid by the schema."""
    columns: dict[str, list[Any]] = {contract.id: ["1", "2", "3"]}
    columns |= {name: _values(column) for name, column in contract.columns.items()}
    table = features(pa.table(columns, schema=contract.arrow()), contract)
    frame: pd.DataFrame = table.to_pandas()
    return frame[list(contract.features)]


def _values(column: Column) -> list[Any]:
    if column.values is not None:
        return [column.values[row % len(column.values)] for row in range(3)]
    bounds = [bound for bound in (column.minimum, column.maximum) if bound is not None]
    if bounds:
        low, high = (int(bound) if column.type == "integer" else bound for bound in (bounds[0], bounds[-1]))
        return [low, high, low]
    return EXAMPLES[column.type]


if __name__ == "__main__":
    run_main("parameters", lambda: print(parameters()))
