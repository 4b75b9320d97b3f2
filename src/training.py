"""Training: artifacts/features/train/ -> artifacts/model/.

Fits the model in params.yaml. The same rows, parameters and packages give the same bytes.
"""

from pipeline.config.contract import Contract, load_contract
from pipeline.config.errors import PipelineError
from pipeline.config.packages import check_packages
from pipeline.config.parameters import load
from pipeline.config.stages import run_stage
from pipeline.data.artifacts import MODEL, TRAIN
from pipeline.data.atomic import atomic_file
from pipeline.modelling.features import read_features
from pipeline.modelling.matrix import fit
from pipeline.modelling.models import build, check_derived, threads
from pipeline.modelling.parameters import TrainingParameters
from pipeline.modelling.thresholds import FOLDS

import joblib
import pandas as pd
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits


def train(
    features: pd.DataFrame, target: pd.Series, parameters: TrainingParameters, contract: Contract
) -> Pipeline:
    """Return the model fitted on the feature columns and the target (0 or 1), one row per customer.

    Raises:
        ConfigurationError: a derived feature cannot be computed.
        PipelineError: a column is null on all rows, or the algorithm refuses the data.
    """
    if empty := [str(name) for name in features if features[name].isna().all()]:
        raise PipelineError(f"{', '.join(empty)} is null on every train row: remove it from schema.columns")
    check_derived(features, contract, parameters.derived_features)
    if parameters.calibration != "none" and (rare := target.value_counts().min()) < FOLDS:
        raise PipelineError(
            f"{TRAIN} holds {rare} rows of a class of {contract.target.column}, and calibration by "
            f"cross-validation needs {FOLDS}: use training.calibration none"
        )
    block = getattr(parameters, parameters.algorithm)
    model = build(
        contract,
        parameters.algorithm,
        block,
        parameters.derived_features,
        parameters.random_state,
        parameters.calibration,
    )
    with threadpool_limits(limits=threads(parameters.algorithm, len(features))):
        try:
            return fit(model, features, target)
        except (MemoryError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - LightGBM has errors of its own
            message = " ".join(str(error).split())[:300]
            raise PipelineError(f"training.{parameters.algorithm} cannot be fitted: {message}") from None


def main() -> None:
    """Run the stage."""
    check_packages()
    parameters, contract = load("training", TrainingParameters), load_contract()
    features, target = read_features(TRAIN, contract)
    if target.nunique() < 2:
        raise PipelineError(
            f"{TRAIN} holds one class of {contract.target.column} only: more rows of the other class, or a "
            "smaller transformation.test_size, are needed"
        )
    model = train(features, target, parameters, contract)
    with atomic_file(MODEL) as partial:
        joblib.dump(model, partial)
    print(f"training: {parameters.algorithm} on {len(features):,} rows, {features.shape[1]} columns")


if __name__ == "__main__":
    run_stage(main)
