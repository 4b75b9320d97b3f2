"""The model's steps before fitting: conversion to the contract's types, then the derived features.

Both are steps of the model itself, and use only functions of Python, pandas and pyarrow. So a model that
MLflow serves computes the same as the model in DVC, wherever it is loaded.
"""

import ast
from collections.abc import Collection
from operator import attrgetter
from typing import Any

from pipeline.config.contract import ARROW_TYPES, CALENDAR, Column, Contract

import pandas as pd
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

NULL_METHODS = {"isna", "isnull", "notna", "notnull", "fillna"}
Steps = list[tuple[str, Any]]


def typed(contract: Contract) -> Steps:
    """Return the steps that convert each feature to its type, in whatever form a request has it.

    Null, NaN and `pandas.NA` are null in any type. A date is a timestamp or ISO 8601 text, in UTC unless it
    has a time zone. A value of another type is refused with the column's name, never converted. pyarrow is
    strict with Python objects, except that it reads a number from text.
    """
    numbers, booleans, categories, dates = groups(contract.features)
    objects = _same(pd.DataFrame.astype, dtype=object)
    no_number = _same(pd.DataFrame.replace, to_replace="^", value="not a number: ", regex=True)
    # As text first: pandas reads a number as nanoseconds since 1970.
    text = _same(pd.DataFrame.map, func=str, na_action="ignore")
    iso = _same(pd.DataFrame.apply, func=pd.to_datetime, utc=True, format="ISO8601")
    read = ColumnTransformer(
        [
            ("numbers", no_number, numbers),
            ("dates", make_pipeline(text, objects, iso), dates),
            ("others", objects, booleans + categories),
        ],
        verbose_feature_names_out=False,
    )
    steps: Steps = [("read", read.set_output(transform="pandas"))]
    if dates:
        steps.append(("utc", _eval("\n".join(f"{name} = {name}.dt.tz_convert(None)" for name in dates))))
    # Not safe, so that an integer beyond 2**53 becomes the nearest double, and a date is cut to milliseconds.
    types = {
        name: ARROW_TYPES["number" if name in numbers else contract.features[name].type]
        for name in contract.features
    }
    strict = {"schema": pa.schema([*types.items()]), "preserve_index": False, "safe": False}
    doubles = {"dtype": dict.fromkeys(booleans, "float64")}
    return [
        *steps,
        ("types", FunctionTransformer(pa.Table.from_pandas, kw_args=strict)),
        ("frame", FunctionTransformer(pa.Table.to_pandas, kw_args={"ignore_metadata": True})),
        # scikit-learn accepts nulls only as doubles.
        ("doubles", FunctionTransformer(pd.DataFrame.astype, kw_args=doubles)),
    ]


def date_features(contract: Contract) -> Steps:
    """Return the steps that add the calendar features as doubles, or no step without dates."""
    dates = groups(contract.features)[3]
    if not dates:
        return []
    parts = [
        (
            part,
            make_pipeline(
                _same(pd.DataFrame.apply, func=attrgetter(f"dt.{part}")),
                _same(pd.DataFrame.astype, dtype="float64"),
            ),
            dates,
        )
        for part in CALENDAR
    ]
    added = ColumnTransformer([("columns", "passthrough", [*contract.features]), *parts])
    names = [*contract.features, *(f"{name}_{part}" for part in CALENDAR for name in dates)]
    named = FunctionTransformer(pd.DataFrame.set_axis, kw_args={"labels": names, "axis": 1})
    return [("calendar", added.set_output(transform="pandas")), ("named", named)]


def derive(contract: Contract, expressions: dict[str, str]) -> Steps:
    """Return the step that computes the expressions, or no step without expressions."""
    return [("derive", _eval(script(contract, expressions, calendar(contract))))] if expressions else []


def _same(function: Any, **arguments: Any) -> FunctionTransformer:
    return FunctionTransformer(function, kw_args=arguments, feature_names_out="one-to-one")


def _eval(lines: str) -> FunctionTransformer:
    return FunctionTransformer(pd.DataFrame.eval, kw_args={"expr": lines, "engine": "python"})


def groups(columns: dict[str, Column]) -> list[list[str]]:
    """Return the names of the numbers (including integers), booleans, categories, and dates."""
    types = [{"integer", "number"}, {"boolean"}, {"category"}, {"datetime"}]
    return [[name for name, column in columns.items() if column.type in group] for group in types]


def calendar(contract: Contract) -> dict[str, str]:
    """Return the datetime column of each calendar feature, by the name of the feature."""
    return {
        f"{name}_{part}": name
        for name, column in contract.features.items()
        if column.type == "datetime"
        for part in CALENDAR
    }


def script(contract: Contract, expressions: dict[str, str], made: Collection[str] = ()) -> str:
    """Return the lines for `pandas.DataFrame.eval` that compute each expression as a double.

    An expression may use the features, those already `made`, and those of earlier expressions. It is null if
    a column that it uses is null, and if it is not finite, for example after a division by zero. (In pandas
    alone, a comparison with null is false, and a null boolean fails.)

    Raises:
        SyntaxError: a text is not an expression.
        ValueError: an expression names no column, or tests for nulls.
    """
    booleans = {name for name, column in contract.features.items() if column.type == "boolean"}
    names, lines = [*contract.features, *made], []
    for name, expression in expressions.items():
        tree = ast.parse(expression.strip(), mode="eval")
        used = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & set(names))
        if not used:
            raise ValueError("it names no column")
        if blind := sorted({getattr(node, "attr", "") for node in ast.walk(tree)} & NULL_METHODS):
            raise ValueError(f"{blind[0]} never finds a null: an expression with a null is null")
        known = " & ".join(f"{column}.notna()" for column in used)
        lines += [
            f"{name} = 1.0 * ({ast.unparse(_Booleans(booleans).visit(tree))})",
            f"{name} = {name}.where({known} & ({name}.abs() < 1e999))",
        ]
        names.append(name)
    return "\n".join(lines)


class _Booleans(ast.NodeTransformer):
    """Replaces a boolean, which is a double by then, by `(name == 1)`, so that it supports &, | and ~."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        # pandas evaluates methods only on a column.
        return node if isinstance(node.value, ast.Name) else self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        one = ast.Compare(node, [ast.Eq()], [ast.Constant(1)])
        return one if node.id in self._names else node
