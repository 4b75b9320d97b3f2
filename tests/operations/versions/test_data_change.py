"""Changes of the data, by the reports of validation: each kind, and what is not a change."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from operations.versions import data_change
from operations.versions.data_change import DataFacts, changes, not_comparable
from pipeline.checks.facts import TOP_VALUES, merge, part_facts
from pipeline.checks.parameters import ValidationParameters
from pipeline.config.contract import Contract
from stages import Row, contract_with, row, table

import pytest
from pydantic import ValidationError

CONTRACT = contract_with(
    city={"path": "city", "type": "category", "nullable": True},
    opened={"path": "opened", "type": "datetime", "nullable": True},
)
DAY = datetime.fromisoformat("2020-01-01")


def rows(first: int, beyond: int) -> list[Row]:
    return [
        row(number, city=f"city {number * 7 % 50}", opened=DAY + timedelta(days=number * 397 % 1000))
        for number in range(first, beyond)
    ]


def facts(data: list[Row], contract: Contract = CONTRACT) -> DataFacts:
    positives = sum(each["churned"] == contract.target.positive for each in data)
    columns = merge([part_facts(table(data, contract), contract)], contract)
    report = {"accepted": len(data), "target": {"positives": positives}, "columns": columns}
    return DataFacts.of(report, contract.model_dump())


def found(new: list[Row] | DataFacts, old: list[Row] | DataFacts, **bounds: Any) -> list[str]:
    new, old = (each if isinstance(each, DataFacts) else facts(each) for each in (new, old))
    return list(changes(new, old, ValidationParameters(**bounds)))


OLD = rows(0, 3000)
Change = Callable[[Row], dict[str, Any]]
CHANGES: dict[str, tuple[Change, str]] = {
    "charges times 100": (
        lambda row: {"monthly_charges": row["monthly_charges"] * 100},
        "monthly_charges: mean 6,934.2 vs 69.342, +236 standard deviations, "
        "more than validation.max_mean_shift 0.25",
    ),
    "an integer doubled": (
        lambda row: {"tenure_months": min(120, row["tenure_months"] * 2)},
        "tenure_months: mean 69.706 vs 35.92, +1.59 standard deviations",
    ),
    "null for a third": (
        lambda row: {} if int(row["_id"][2:]) % 3 else {"total_charges": None},
        "total_charges: 34.1 % null vs 1.2 %, more than validation.max_null_change 0.05",
    ),
    "a category renamed": (
        lambda row: {"contract": row["contract"].replace("two year", "24 months")},
        "contract: 34 % of the rows with another value, most of all 'two year' (0 % vs 34 %), "
        "more than validation.max_category_change 0.1",
    ),
    "a boolean inverted": (
        lambda row: {"paperless": not row["paperless"]},
        "paperless: 20.3 % of the rows with another value, most of all 'true' (39.9 % vs 60.1 %)",
    ),
    "a boolean constant": (
        lambda _: {"paperless": True},
        "paperless: 39.9 % of the rows with another value, most of all 'true' (100 % vs 60.1 %)",
    ),
    "dates two years later": (
        lambda row: {"opened": row["opened"] + timedelta(days=730)},
        "opened: mean 2023-05-14 vs 2021-05-14, +2.53 standard deviations",
    ),
    "target inverted": (
        lambda row: {"churned": not row["churned"]},
        "target churned: 73.2 % positive vs 26.8 %, the rarer class +174 %, "
        "more than validation.max_target_change 0.25",
    ),
    "target halved": (
        lambda row: {"churned": row["churned"] and int(row["_id"][2:]) % 2 == 0},
        "target churned: 12.4 % positive vs 26.8 %, the rarer class -53.5 %",
    ),
}


@pytest.mark.parametrize(("change", "reason"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_named_once_with_its_numbers(change: Change, reason: str) -> None:
    new = [each | change(each) for each in OLD]

    (line,) = found(new, OLD)

    assert line.startswith(reason)
    # and so is the opposite change.
    assert len(found(OLD, new)) == 1


@pytest.mark.parametrize(("count", "held"), [(2999, False), (2700, False), (2699, True), (1100, True)])
def test_shrunken_data_is_a_change(count: int, held: bool) -> None:
    lines = found(OLD[:count], OLD)

    assert [line.startswith(f"rows: {count:,} vs 3,000, ") for line in lines] == [True] * held
    assert found(OLD[:count], OLD, max_shrink=0.7) == []


def test_growth_alone_is_not_a_change() -> None:
    grown = rows(0, 6000)
    assert found(grown, OLD[:600]) == []

    other = [each | {"contract": "one year"} for each in grown]
    assert [line.partition(":")[0] for line in found(other, OLD[:600])] == ["contract"]


def test_small_random_difference_is_not_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [facts(rows(at, at + 60)) for at in range(0, 3000, 60)]

    assert [line for new in parts for line in found(new, parts[0])] == []
    with monkeypatch.context() as patch:
        patch.setattr(data_change, "STANDARD_ERRORS", 0)
        assert [line for new in parts for line in found(new, parts[0])] != []
    assert found([each | {"monthly_charges": 9000.0} for each in rows(0, 60)], parts[0]) != []


def test_a_rare_target_is_compared_with_its_own_share() -> None:
    def share(positives: float) -> DataFacts:
        return replace(facts(OLD), rows=20_000, positive_share=positives)

    for old, doubled, halved, honest in ((0.01, 0.02, 0.005, 0.011), (0.99, 0.98, 0.995, 0.989)):
        assert len(found(share(doubled), share(old))) == len(found(share(halved), share(old))) == 1
        assert found(share(honest), share(old)) == []


def test_nulls_are_not_another_change() -> None:
    new = [each | {"contract": None} if at % 2 else each for at, each in enumerate(OLD)]
    nullable = contract_with(contract={"path": "c", "type": "category", "nullable": True})

    (line,) = found(facts(new, nullable), facts(OLD, nullable))

    assert line.startswith("contract: 50 % null vs 0 %")
    # A column of nulls has no mean
    empty = [each | {"opened": None, "city": None} for each in OLD]
    assert [line.partition(",")[0] for line in found(empty, OLD)] == [
        "city: 100 % null vs 0 %",
        "opened: 100 % null vs 0 %",
    ]
    assert len(found(OLD, empty)) == 2


def test_most_common_categories_are_compared() -> None:
    assert len(facts(OLD).columns["city"]["shares"]) == TOP_VALUES < 50

    # Of equally common categories, another one may be listed
    assert found([each | {"city": f"city {49 - int(each['city'][5:])}"} for each in OLD], OLD) == []

    # One category replaces ten others
    spread = [each | {"city": "city 1"} if int(each["city"][5:]) < 10 else each for each in OLD]
    (line,) = found(spread, OLD)
    assert line.startswith("city: 18 % of the rows with another value, most of all 'city 1' (20 % vs 2 %)")
    (line,) = found(OLD, spread)
    assert line.startswith("city: 18 % of the rows with another value, most of all 'city 1' (2 % vs 20 %)")


def test_renamed_value_is_a_change() -> None:
    same = [each | {"monthly_charges": 5.0} for each in OLD]

    (line,) = found([each | {"monthly_charges": 5.01} for each in OLD], same)

    assert line.startswith("monthly_charges: mean 5.01 vs 5, one value each, ")
    # and one row with another value is not a change.
    assert found([same[0] | {"monthly_charges": 9.0}, *same[1:]], same) == []


def test_another_schema_is_not_a_change_of_data() -> None:
    # Given a new column, a removed one, and one of another type
    before = CONTRACT.model_dump()
    del before["columns"]["city"]
    before["columns"]["paperless"] = {"path": "p", "type": "category"}
    before["columns"]["gone"] = {"path": "g", "type": "boolean"}
    old = facts([each | {"paperless": "no", "gone": True} for each in OLD], Contract.model_validate(before))

    assert found(facts(OLD), old) == []
    assert not_comparable(facts(OLD), old) == ["city", "gone", "paperless"]
    assert not_comparable(old, old) == []


def test_another_target_is_compared_as_a_column() -> None:
    other = CONTRACT.model_dump() | {"target": {"column": "paperless", "positive": True}}
    new = [each | {"paperless": False} for each in OLD[:-1]] + [OLD[-1] | {"paperless": True}]

    (line,) = found(facts(new, Contract.model_validate(other)), facts(OLD))

    assert line.startswith("paperless: 60.1 % of the rows with another value")


def test_each_bound_is_a_parameter() -> None:
    wide = {
        "max_mean_shift": 1e9,
        "max_null_change": 1,
        "max_category_change": 1,
        "max_target_change": 1e9,
    }
    for change, _ in CHANGES.values():
        assert found([each | change(each) for each in OLD], OLD, **wide) == []
    with pytest.raises(ValidationError):
        ValidationParameters(max_shrink=1.5)
    with pytest.raises(ValidationError):
        ValidationParameters(on_change="warn")  # type: ignore[arg-type]
