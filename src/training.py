"""Training: artifacts/features/train/ -> artifacts/model/.

Fits the model that params.yaml names. The same rows, parameters and packages give the same bytes.
"""

from pathlib import Path
from typing import Any

from pipeline.config.contract import Contract, check_name, load_contract
from pipeline.config.errors import PipelineError, run_main
from pipeline.config.packages import check_packages
from pipeline.config.parameters import Section, load
from pipeline.data.artifacts import MODEL, TRAIN
from pipeline.data.atomic import atomic_file
from pipeline.modelling.features import read_features
from pipeline.modelling.models import ALGORITHMS, build, check_derived, check_derived_names, check_parameters

import joblib
import pandas as pd
from pydantic import Field, ValidationInfo, field_validator
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits


class TrainingParameters(Section):
    """The section `training` of params.yaml; each algorithm has a block of its own parameters."""

    algorithm: str
    random_state: int = Field(default=0, ge=0, lt=2**32)
    derived: dict[str, str] = Field(default_factory=dict)
    hist_gradient_boosting: dict[str, Any] = Field(default_factory=dict)
    random_forest: dict[str, Any] = Field(default_factory=dict)
    logistic_regression: dict[str, Any] = Field(default_factory=dict)

    @field_validator("algorithm")
    @classmethod
    def _known(cls, algorithm: str) -> str:
        if algorithm not in ALGORITHMS:
            raise ValueError(f"unknown algorithm {algorithm}; there are {', '.join(ALGORITHMS)}")
        return algorithm

    @field_validator("derived")
    @classmethod
    def _names(cls, derived: dict[str, str]) -> dict[str, str]:
        for name in derived:
            check_name(name)
        return derived

    @field_validator(*ALGORITHMS)
    @classmethod
    def _possible(cls, block: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        check_parameters(str(info.field_name), block)
        return block


def train(
    features: pd.DataFrame, target: pd.Series, parameters: TrainingParameters, contract: Contract
) -> Pipeline:
    """Fit the model on the feature columns and the target (0 or 1), one row a customer.

    Raises:
        ConfigurationError: a derived feature cannot be computed.
        PipelineError: a column holds no value, or the algorithm refuses the data.
    """
    if empty := [str(name) for name in features if features[name].isna().all()]:
        raise PipelineError(f"{', '.join(empty)} is null on every train row: remove it from schema.columns")
    check_derived(features, contract, parameters.derived)
    block = getattr(parameters, parameters.algorithm)
    model = build(contract, parameters.algorithm, block, parameters.derived, parameters.random_state)
    # Histogram boosting stores the number of its threads, and sums of doubles depend on it elsewhere: one
    # thread gives the same bytes on every machine, and is the faster one at this size.
    with threadpool_limits(limits=1):
        try:
            return model.fit(features, target)
        except (ValueError, TypeError) as error:
            said = " ".join(str(error).split())[:300]
            raise PipelineError(f"training.{parameters.algorithm} cannot be fitted: {said}") from None


def save(model: Pipeline, path: Path) -> None:
    """Write the model, whole or not at all."""
    with atomic_file(path) as partial:
        joblib.dump(model, partial)


def main() -> None:
    """Run the stage."""
    check_packages()
    parameters, contract = load("training", TrainingParameters), load_contract()
    check_derived_names(contract, parameters.derived)
    features, target = read_features(TRAIN, contract)
    if target.nunique() < 2:
        raise PipelineError(f"{TRAIN} holds one class of {contract.target.column} only: nothing to learn")
    save(train(features, target, parameters, contract), MODEL)
    print(f"training: {parameters.algorithm} on {len(features):,} rows, {features.shape[1]} columns")


if __name__ == "__main__":
    run_main("training", main)
