"""The models that params.yaml can name: scikit-learn pipelines that hold all their preprocessing.

A model takes the feature columns as they are in the source, derives its own features from them, and is
made of scikit-learn's and pandas' parts alone: no code of this project is needed to load it, so an old
model stays what it was when the code moves on.
"""

import ast
from typing import Any, cast

from pipeline.config.contract import CALENDAR, Column, Contract
from pipeline.config.errors import ConfigurationError

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    SplineTransformer,
    StandardScaler,
)

ALGORITHMS: dict[str, type[BaseEstimator]] = {
    "hist_gradient_boosting": HistGradientBoostingClassifier,
    "random_forest": RandomForestClassifier,
    "logistic_regression": LogisticRegression,
}
# Set by the project: training.random_state, and what changes the speed, the log or the meaning of a fit.
RESERVED = {"random_state", "n_jobs", "verbose", "warm_start"}


def check_parameters(algorithm: str, parameters: dict[str, Any]) -> None:
    """Refuse what the algorithm does not know.

    Raises:
        ValueError: names the unknown or reserved parameter, and lists those that there are; or the one whose
            value is impossible.
    """
    known = set(ALGORITHMS[algorithm]().get_params()) - RESERVED
    if unknown := sorted(set(parameters) - known):
        raise ValueError(f"unknown parameter {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    ALGORITHMS[algorithm](**parameters)._validate_params()


def calendar(contract: Contract) -> dict[str, str]:
    """Return the calendar features of the dates: the expression of each, by name."""
    return {
        f"{name}_{part}": f"{name}.dt.{part}"
        for name, column in contract.features.items()
        if column.type == "datetime"
        for part in CALENDAR
    }


def build(
    contract: Contract, algorithm: str, parameters: dict[str, Any], derived: dict[str, str], random_state: int
) -> Pipeline:
    """Build the unfitted model: it takes a DataFrame with the columns `contract.features`.

    An unseen category is 'unknown' to it: a missing value to trees, no category at all to a linear model.
    """
    check_parameters(algorithm, parameters)
    expressions = calendar(contract) | derived
    estimator = ALGORITHMS[algorithm](random_state=random_state).set_params(**parameters)
    prepare = _for_linear if algorithm == "logistic_regression" else _for_trees
    steps = [("prepare", prepare(contract.features, list(expressions))), ("classify", estimator)]
    types = FunctionTransformer(pd.DataFrame.astype, kw_args={"dtype": plain_types(contract)})
    if expressions:
        lines = "\n".join(f"{name} = {expression}" for name, expression in expressions.items())
        derive = FunctionTransformer(pd.DataFrame.eval, kw_args={"expr": lines, "engine": "python"})
        # A division by zero is no number, and most algorithms refuse to see the infinity that pandas gives.
        infinities = {"to_replace": [float("inf"), -float("inf")], "value": float("nan")}
        finite = FunctionTransformer(pd.DataFrame.replace, kw_args=infinities)
        steps = [("derive", derive), ("finite", finite), *steps]
    return Pipeline([("types", types), *steps])


def plain_types(contract: Contract) -> dict[str, str]:
    """Return the types that the model computes with, whether a null, a whole number or a text comes in.

    A single customer as JSON has other types than a Parquet file: an object where its number is null.
    """
    plain = {"integer": "float64", "number": "float64", "datetime": "datetime64[ms]"}
    return {name: plain[column.type] for name, column in contract.features.items() if column.type in plain}


def check_derived_names(contract: Contract, derived: dict[str, str]) -> None:
    """Look whether the names of derived features are theirs alone.

    Raises:
        ConfigurationError: one is that of a column, of the id, or of a feature made of a datetime.
    """
    for name in derived:
        if name in {contract.id, *contract.columns, *calendar(contract)}:
            raise ConfigurationError(
                f"params.yaml: training.derived_features.{name}: the name is taken, by a column, the id or a "
                "feature made of a datetime: choose another"
            )


def check_derived(frame: pd.DataFrame, contract: Contract, derived: dict[str, str]) -> None:
    """Compute each derived feature of `frame`, the feature columns; it is not changed.

    Raises:
        ConfigurationError: names the feature that cannot be computed, or not from a customer alone, and why.
    """
    check_derived_names(contract, derived)
    frame = frame.astype(plain_types(contract))
    for name, expression in (calendar(contract) | derived).items():
        key = (
            f"params.yaml: training.derived_features.{name}"
            if name in derived
            else f"params.yaml: schema: {name}"
        )
        try:
            ast.parse(expression, mode="eval")
        except (SyntaxError, ValueError):
            raise ConfigurationError(f"{key}: {expression!r} is not an expression over the columns") from None
        try:
            computed = _derive(frame, name, expression)
            alone = [_derive(frame.iloc[[row]], name, expression) for row in range(len(frame))[:100:10]]
        except Exception as error:  # noqa: BLE001 - whatever pandas says of an expression is for its author
            raise ConfigurationError(f"{key}: {expression!r}: {' '.join(str(error).split())}") from None
        values = computed[name]
        if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
            raise ConfigurationError(f"{key}: {expression!r} gives {values.dtype}, not numbers")
        together = values.iloc[:100:10].to_numpy(dtype=float)
        if not np.allclose(together, pd.concat(alone)[name].to_numpy(dtype=float), equal_nan=True):
            raise ConfigurationError(
                f"{key}: {expression!r} looks at other customers, who are not there when the model serves"
            )
        frame = computed


def _derive(frame: pd.DataFrame, name: str, expression: str) -> pd.DataFrame:
    computed: Any = frame.eval(f"{name} = {expression}", engine="python")
    return cast("pd.DataFrame", computed)


def _groups(columns: dict[str, Column]) -> tuple[list[str], list[str], list[str]]:
    numbers = [name for name, column in columns.items() if column.type in ("integer", "number")]
    booleans = [name for name, column in columns.items() if column.type == "boolean"]
    categories = [name for name, column in columns.items() if column.type == "category"]
    return numbers, booleans, categories


def _values(columns: dict[str, Column], categories: list[str]) -> Any:
    """The declared values of each category, or 'auto' where one is left to the training data."""
    declared = [columns[name].values for name in categories]
    return "auto" if None in declared else [list(values or ()) for values in declared]


def _for_trees(columns: dict[str, Column], derived: list[str]) -> ColumnTransformer:
    numbers, booleans, categories = _groups(columns)
    codes = {"handle_unknown": "use_encoded_value", "unknown_value": float("nan")}
    return ColumnTransformer(
        [
            ("numbers", "passthrough", numbers + derived),
            ("booleans", OrdinalEncoder(categories=[[False, True]] * len(booleans), **codes), booleans),
            ("categories", OrdinalEncoder(categories=_values(columns, categories), **codes), categories),
        ]
    )


def _for_linear(columns: dict[str, Column], derived: list[str]) -> ColumnTransformer:
    numbers, booleans, categories = _groups(columns)
    splines = SplineTransformer(n_knots=7, knots="quantile")
    curves = make_pipeline(SimpleImputer(strategy="median"), splines, StandardScaler())
    one_hot = OneHotEncoder(categories=_values(columns, categories), handle_unknown="ignore")
    return ColumnTransformer(
        [
            ("numbers", curves, numbers + derived),
            (
                "booleans",
                OneHotEncoder(categories=[[False, True]] * len(booleans), handle_unknown="ignore"),
                booleans,
            ),
            ("categories", one_hot, categories),
        ]
    )
