"""Derived features: null if a column is null, and refused by name if they cannot be computed."""

from typing import Any

from pipeline.config.errors import ConfigurationError
from pipeline.modelling.inputs import derive, typed
from pipeline.modelling.models import check_derived
from stages import contract_with, failure, row

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

DATED = {"opened": {"path": "opened", "type": "datetime"}}


@pytest.mark.parametrize(
    ("derived", "expected"),
    [
        ({"ratio": "monthly_charges / tenure"}, "tenure"),
        ({"ratio": "monthly_charges /"}, "not an expression"),
        ({"ratio": "monthly_charges; 1"}, "not an expression"),
        ({"ratio": "@monthly_charges"}, "not an expression"),
        ({"ratio": "contract"}, "as a number"),
        ({"ratio": "1"}, "no column"),
        ({"ratio": "churned * 1"}, "churned"),
        ({"ratio": "monthly_charges / monthly_charges.mean()"}, "other customers"),
        ({"ratio": "tenure_months.shift(1)"}, "other customers"),
        ({"ratio": "tenure_months * index"}, "other customers"),
        ({"ratio": "paperless.astype('int64')"}, "cannot be computed"),
        ({"ratio": "tenure_months.astype('int64')"}, "cannot be computed"),
        ({"ratio": "total_charges.isna()"}, "an expression with a null is null"),
        ({"ratio": "(total_charges * 2).fillna(0)"}, "an expression with a null is null"),
        ({"tenure_months": "monthly_charges"}, "taken"),
        ({"churned": "monthly_charges"}, "taken"),
        ({"opened_year": "monthly_charges"}, "taken"),
        ({"first": "second + 1", "second": "monthly_charges"}, "second"),
    ],
)
def test_an_impossible_derived_feature_is_refused(derived: dict[str, str], expected: str) -> None:
    contract = contract_with(**DATED)
    frame = pd.DataFrame([row(number) for number in range(50)])
    frame["opened"] = pd.Timestamp("2026-01-31")

    message = failure(
        lambda: check_derived(frame[list(contract.features)], contract, derived), ConfigurationError
    )

    assert f"training.derived_features.{next(iter(derived))}: " in message
    assert expected in message


VALUES: dict[str, Any] = {
    "contract": "one year",
    "tenure_months": 30,
    "paperless": True,
    "monthly_charges": 20.5,
    "total_charges": 615.0,
    "opened": "2026-01-31T12:00:00Z",
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("paperless * monthly_charges", 20.5),
        ("3 - paperless * 1", 2),
        ("paperless", 1),
        ("~paperless", 0),
        ("not paperless", 0),
        ("paperless == True", 1),
        ("paperless & (tenure_months > 24)", 1),
        ("paperless | (tenure_months > 24)", 1),
        ("paperless and tenure_months > 24", 1),
        ("tenure_months > 24 or paperless", 1),
        ("tenure_months > 24", 1),
        ("tenure_months != 24", 1),
        ("tenure_months // 7", 4),
        ("-total_charges / monthly_charges", -30),
        ("abs(10 - monthly_charges)", 10.5),
        ("contract == 'one year'", 1),
        ("contract != 'one year'", 0),
        ("contract in ['one year', 'two year']", 1),
        ("contract not in ['one year', 'two year']", 0),
        ("(contract == 'one year') * (1 + paperless * 1)  # a comment", 2),
        ("contract.str.len()", 8),
        ("opened > '2025-12-31'", 1),
        ("opened.dt.hour + tenure_months", 42),
    ],
)
def test_expression_with_a_null_is_null(expression: str, value: float) -> None:
    contract = contract_with(**DATED)
    named = [name for name in VALUES if name in expression]
    rows = [VALUES, *(VALUES | {name: None} for name in named), dict.fromkeys(VALUES)]
    frame = pd.DataFrame([VALUES] * 5).assign(opened=pd.Timestamp("2026-01-31 12:00"))
    model = Pipeline([*typed(contract), *derive(contract, {"made": expression, "twice": "made * 2"})])

    check_derived(frame, contract, {"made": expression})
    together = model.fit_transform(pd.DataFrame(rows))

    assert together["made"].tolist()[0] == value
    assert together["made"].iloc[1:].isna().all()
    np.testing.assert_array_equal(together["twice"], together["made"] * 2)
    assert {str(together[name].dtype) for name in ("made", "twice")} == {"float64"}
    for number, one in enumerate(rows):
        alone = model.transform(pd.DataFrame([one]))["made"]
        np.testing.assert_array_equal(alone, together["made"].iloc[[number]])
