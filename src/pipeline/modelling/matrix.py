"""Fits and applies a model on many rows, with one matrix of them in memory.

The results equal those of the model's `fit` and `predict_proba`, which copy all rows at each step. Here the
steps before the classifier transform blocks of rows.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

# Rows of a block: its copies take some 50 MiB with a hundred columns.
BLOCK = 20_000
# From this many rows, threads save time.
MANY = 100_000


def fit(model: Pipeline, features: pd.DataFrame, target: pd.Series) -> Pipeline:
    """Fit the model in place on rows with the types of the contract, and return it."""
    prepare = model["prepare"]
    # The steps before it learn only the names of the columns.
    model[:-2].fit(features.head(1))
    prepare.fit(_typed_steps(model)[:-2].transform(features[_informative(prepare, features)]))
    model["classify"].fit(matrix(model, features), target)
    return model


def matrix(model: Pipeline, features: pd.DataFrame) -> Any:
    """Return the input of a fitted model's classifier (float64, shape (rows, prepared features)).

    It is sparse if the model's encoder makes it so.
    """
    steps, start = _typed_steps(model)[:-1], 0
    if len(features) <= BLOCK:
        return steps.transform(features)
    if model["prepare"].sparse_output_:
        return sparse.vstack([steps.transform(block) for block in blocks(features)], "csr")
    whole: Any = None
    for block in blocks(features):
        made = steps.transform(block)
        whole = np.empty((len(features), made.shape[1])) if whole is None else whole
        whole[start : start + len(made)] = made
        start += len(made)
    return whole


def probabilities(model: Pipeline, features: pd.DataFrame) -> np.ndarray:
    """Return the probability of the positive class of rows with the types of the contract."""
    return served_probabilities(_typed_steps(model), features)


def served_probabilities(model: Any, features: pd.DataFrame) -> np.ndarray:
    """Return the probability of the positive class of rows in any form that the model accepts."""
    with threadpool_limits(limits=thread_limits(model, len(features))):
        return np.concatenate([model.predict_proba(block)[:, 1] for block in blocks(features)])


def thread_limits(model: Any, rows: int) -> int | dict[str, int]:
    """Return the limits for `threadpool_limits` while a model predicts rows: one thread, or any for OpenMP.

    The probabilities of boosted trees do not depend on the number, and many rows are worth more threads. A
    linear model's sums of doubles, which BLAS computes, do depend on it.
    """
    classifier = model[-1] if isinstance(model, Pipeline) else model
    if isinstance(classifier, CalibratedClassifierCV):
        classifier = classifier.calibrated_classifiers_[0].estimator
    boosted = isinstance(classifier, HistGradientBoostingClassifier) or hasattr(classifier, "booster_")
    return {"blas": 1} if boosted and rows >= MANY else 1


def blocks(features: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the rows in blocks; one empty block if there are none."""
    for start in range(0, max(1, len(features)), BLOCK):
        yield features.iloc[start : start + BLOCK]


def _typed_steps(model: Pipeline) -> Pipeline:
    """Return the model without the steps that read the values of a request."""
    return model[[*model.named_steps].index("types") :]


def _informative(prepare: Any, features: pd.DataFrame) -> np.ndarray:
    """Return which rows the encoder learns from (shape (rows,)).

    For trees, it learns only the values of the categories: the first row of each value is enough.
    """
    (_, numbers, _), *_, (_, _, categories) = prepare.transformers
    if numbers != "passthrough":
        return np.ones(len(features), dtype=bool)
    first: np.ndarray = np.arange(len(features)) == 0
    for name in categories:
        first |= ~features[name].duplicated().to_numpy()
    return first
