"""The models that params.yaml can name: scikit-learn pipelines with all their preprocessing.

A model takes the feature columns as in the source, and computes the derived features. It uses only objects
of scikit-learn, pandas, pyarrow and LightGBM: loading it needs no code of this project, so an old model stays
the same when the code changes.
"""

import re
from collections.abc import Callable
from typing import Any, cast

from pipeline.config.contract import Column, Contract
from pipeline.config.errors import ConfigurationError
from pipeline.modelling.boosters import CONSTRAINTS, LIGHTGBM, lightgbm
from pipeline.modelling.inputs import calendar, date_features, derive, groups, script, typed
from pipeline.modelling.matrix import MANY
from pipeline.modelling.thresholds import folds_of

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, SplineTransformer, StandardScaler
from sklearn.utils._param_validation import validate_parameter_constraints

ALGORITHMS: dict[str, Callable[..., BaseEstimator]] = {
    "hist_gradient_boosting": HistGradientBoostingClassifier,
    "random_forest": RandomForestClassifier,
    "logistic_regression": LogisticRegression,
    LIGHTGBM: lightgbm,
}
# Set by the project: training.random_state, and parameters of the speed, the log or the state of a fit.
RESERVED = {"random_state", "n_jobs", "verbose", "warm_start"}
# The largest number of rows on which derived features are computed before the fit.
PROOF = 10_000


def check_parameters(algorithm: str, parameters: dict[str, Any]) -> None:
    """Check the parameters of an algorithm.

    Raises:
        ValueError: a parameter is unknown or reserved, or its value is impossible; the message names it.
    """
    boosting = algorithm == LIGHTGBM
    known = set(CONSTRAINTS) if boosting else set(ALGORITHMS[algorithm]().get_params()) - RESERVED
    if unknown := sorted(set(parameters) - known):
        raise ValueError(f"unknown parameter {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    if boosting:
        wanted = {name: CONSTRAINTS[name] for name in parameters}
        validate_parameter_constraints(wanted, parameters, caller_name=LIGHTGBM)
    else:
        ALGORITHMS[algorithm](**parameters)._validate_params()


def build(
    contract: Contract,
    algorithm: str,
    parameters: dict[str, Any],
    derived: dict[str, str],
    random_state: int,
    calibration: str = "none",
) -> Pipeline:
    """Return the unfitted model, whose input is a DataFrame with the columns `contract.features`.

    An unseen category is a missing value to trees, and has no indicator column in a linear model. LightGBM
    splits the categories into sets, and an unseen one is in no set. With `calibration`, a sigmoid (Platt,
    1999) or an isotonic regression (Zadrozny and Elkan, 2002) corrects the probabilities of the one
    classifier; it is fitted on out-of-fold predictions.
    """
    check_parameters(algorithm, parameters)
    estimator = ALGORITHMS[algorithm](random_state=random_state).set_params(**parameters)
    prepare = _for_linear if algorithm == "logistic_regression" else _for_trees
    prepared = prepare(contract.features, [*calendar(contract), *derived])
    if algorithm == LIGHTGBM:
        (_, _, numbers), (_, _, categories) = prepared.transformers
        # As an argument of `fit`, `categorical_feature` would have to pass through the calibration. Its alias
        # is a parameter of the model, which LightGBM hands to its core.
        columns = range(len(numbers), len(numbers) + len(categories))
        estimator.set_params(categorical_column=[*columns])
    if calibration != "none":
        folds = folds_of(random_state)
        estimator = CalibratedClassifierCV(estimator, method=calibration, cv=folds, ensemble=False)
    first = [*typed(contract), *date_features(contract), *derive(contract, derived)]
    return Pipeline([*first, ("prepare", prepared), ("classify", estimator)])


def threads(algorithm: str, rows: int) -> int | None:
    """Return how many threads fit an algorithm; None is all of them.

    Histogram boosting stores the number in the model, and in other algorithms it changes sums of doubles.
    LightGBM does neither. For few rows, one thread is the fastest: threads would wait for each other.
    """
    return None if algorithm == LIGHTGBM and rows >= MANY else 1


def check_derived(frame: pd.DataFrame, contract: Contract, derived: dict[str, str]) -> None:
    """Check that each derived feature can be computed from `frame` (the feature columns) and with nulls.

    It uses at most `PROOF` rows, evenly spaced.

    Raises:
        ConfigurationError: the name of a feature is taken, or it cannot be computed, or depends on other
            rows; the message names it.
    """
    for name in derived:
        if name in {contract.id, *contract.columns, *calendar(contract)}:
            raise ConfigurationError(
                f"params.yaml: training.derived_features.{name}: the name is taken, by a column, the id or a "
                "feature made of a datetime: choose another"
            )
    if not derived:
        return
    made = [*calendar(contract)]
    # Up to ten rows, spread over the first hundred.
    few = frame.iloc[: 100 : max(1, min(10, len(frame) // 10))].head(10)
    # Among objects, an integer beyond 2**53 would be refused.
    few = few.astype(dict.fromkeys(few.select_dtypes("integer"), "float64"))
    steps = Pipeline([*typed(contract), *date_features(contract)])
    nulls = _nulls(few.head(1), derived, contract)
    proof = steps.fit_transform(pd.concat([few.astype(object), nulls], ignore_index=True))
    # Rows without nulls, rows with nulls, single rows: each must give the same result as among all rows.
    pieces = [[*range(len(few))], [*range(len(few), len(proof))], *([row] for row in range(0, len(few), 3))]
    apart = [proof.iloc[rows].reset_index(drop=True) for rows in pieces]
    spread = np.unique(np.linspace(0, len(frame) - 1, min(len(frame), PROOF)).astype(int))
    frame = steps[[*steps.named_steps].index("types") :].transform(frame.iloc[spread])
    for name, expression in derived.items():
        key = f"params.yaml: training.derived_features.{name}"
        try:
            lines = script(contract, {name: expression}, made)
        except SyntaxError:
            raise ConfigurationError(f"{key}: {expression!r} is not an expression over the columns") from None
        except ValueError as error:
            raise ConfigurationError(f"{key}: {expression!r}: {error}") from None
        try:
            frame, proof, *apart = (
                cast("pd.DataFrame", rows.eval(lines, engine="python")) for rows in (frame, proof, *apart)
            )
        except Exception as error:  # noqa: BLE001 - any error of pandas is reported to the author of the expression
            why = " ".join(str(error).split())
            raise ConfigurationError(f"{key}: {expression!r} cannot be computed as a number: {why}") from None
        together = proof[name].iloc[[row for piece in pieces for row in piece]]
        if not np.allclose(together, pd.concat(apart)[name], equal_nan=True):
            raise ConfigurationError(
                f"{key}: {expression!r} looks at other customers, who are not there when the model serves"
            )
        made.append(name)


def _nulls(row: pd.DataFrame, expressions: dict[str, str], contract: Contract) -> pd.DataFrame:
    """Return copies of `row`: for each column in an expression, one with it null; and one with all null."""
    named = {word for expression in expressions.values() for word in re.findall(r"\w+", expression)}
    named |= {date for feature, date in calendar(contract).items() if feature in named}
    null = [[name] for name in row if name in named]
    return pd.concat([row.astype(object).assign(**dict.fromkeys(names)) for names in (*null, [*row])])


def _values(columns: dict[str, Column], categories: list[str]) -> Any:
    """Return the declared values of each category; 'auto' if one has none, to use the training data's."""
    declared = [columns[name].values for name in categories]
    return "auto" if None in declared else [list(values or ()) for values in declared]


def _for_trees(columns: dict[str, Column], derived: list[str]) -> ColumnTransformer:
    numbers, booleans, categories, _ = groups(columns)
    codes = {"handle_unknown": "use_encoded_value", "unknown_value": float("nan")}
    return ColumnTransformer(
        [
            ("numbers", "passthrough", numbers + derived + booleans),
            ("categories", OrdinalEncoder(categories=_values(columns, categories), **codes), categories),
        ]
    )


def _for_linear(columns: dict[str, Column], derived: list[str]) -> ColumnTransformer:
    numbers, booleans, categories, _ = groups(columns)
    splines = SplineTransformer(n_knots=7, knots="quantile")
    curves = make_pipeline(SimpleImputer(strategy="median"), splines, StandardScaler())
    indicators = OneHotEncoder(categories=[[0.0, 1.0]] * len(booleans), handle_unknown="ignore")
    one_hot = OneHotEncoder(categories=_values(columns, categories), handle_unknown="ignore")
    return ColumnTransformer(
        [
            ("numbers", curves, numbers + derived),
            ("booleans", indicators, booleans),
            ("categories", one_hot, categories),
        ]
    )
