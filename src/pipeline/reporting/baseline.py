"""The model that every model is compared with: a logistic regression on the same split."""

import warnings

from pipeline.config.contract import Contract
from pipeline.modelling.matrix import fit, probabilities
from pipeline.modelling.models import build
from pipeline.modelling.parameters import TrainingParameters

import numpy as np
import pandas as pd

NAME = "logistic_regression"


def logistic_regression(
    train: pd.DataFrame, test: pd.DataFrame, contract: Contract, parameters: TrainingParameters
) -> np.ndarray | None:
    """Return the probabilities of `test` by a logistic regression that is fitted on `train`.

    It has the parameters and derived features of params.yaml. The result is None if the model is itself a
    logistic regression, or if none can be fitted: for example, if a column of `train` is always null.
    """
    if parameters.algorithm == NAME:
        return None
    names = [*contract.features]
    model = build(
        contract, NAME, parameters.logistic_regression, parameters.derived_features, parameters.random_state
    )
    with warnings.catch_warnings():
        # Convergence in the last digit does not matter for a comparison.
        warnings.simplefilter("ignore")
        try:
            fit(model, train[names], train[contract.target.column])
        except (ValueError, FloatingPointError):
            return None
        return probabilities(model, test[names])
