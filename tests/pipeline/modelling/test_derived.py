"""A derived feature that cannot be computed, or not from one customer alone, is refused by its name."""

from pipeline.config.errors import ConfigurationError
from pipeline.modelling.models import check_derived
from stages import contract_with, failure, row

import pandas as pd
import pytest

DATED = {"opened": {"path": "opened", "type": "datetime"}}


@pytest.mark.parametrize(
    ("derived", "said"),
    [
        ({"ratio": "monthly_charges / tenure"}, "tenure"),
        ({"ratio": "monthly_charges /"}, "not an expression"),
        ({"ratio": "monthly_charges; 1"}, "not an expression"),
        ({"ratio": "@monthly_charges"}, "not an expression"),
        ({"ratio": "contract"}, "not numbers"),
        ({"ratio": "churned * 1"}, "churned"),
        ({"ratio": "monthly_charges / monthly_charges.mean()"}, "other customers"),
        ({"ratio": "tenure_months.shift(1)"}, "other customers"),
        ({"tenure_months": "monthly_charges"}, "taken"),
        ({"churned": "monthly_charges"}, "taken"),
        ({"opened_year": "monthly_charges"}, "taken"),
        ({"first": "second + 1", "second": "monthly_charges"}, "second"),
    ],
)
def test_an_impossible_derived_feature_is_refused(derived: dict[str, str], said: str) -> None:
    contract = contract_with(**DATED)
    frame = pd.DataFrame([row(number) for number in range(50)])
    frame["opened"] = pd.Timestamp("2026-01-31")

    message = failure(
        lambda: check_derived(frame[list(contract.features)], contract, derived), ConfigurationError
    )

    assert f"training.derived_features.{next(iter(derived))}: " in message
    assert said in message
