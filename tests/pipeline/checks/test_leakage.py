"""A column, or a sum of two, that leaks the target is found; an honest strong feature passes."""

from typing import Any

from pipeline.checks.leakage import suspicious
from pipeline.config.contract import Contract
from stages import target_and

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

ROWS = 2000
MAXIMUM = 0.99
RNG = np.random.default_rng(0)
TARGET = RNG.random(ROWS) < 0.3
NOISE = RNG.normal(size=ROWS)
COINS = RNG.random(ROWS) < 0.5


def found(rows: int = ROWS, target: np.ndarray = TARGET, **columns: tuple[str, Any]) -> list[str]:
    """Return the leaks in the first `rows` rows of a target and columns (each a type and values)."""
    contract = target_and(
        **{name: {"type": kind, "nullable": True} for name, (kind, _) in columns.items()},
        honest={"type": "number"},
    )
    frame = pd.DataFrame(
        {"y": target, **{name: values for name, (_, values) in columns.items()}, "honest": NOISE}
    )
    scores = scored(frame.head(rows), contract)
    return [name for name, auc in scores.items() if auc > MAXIMUM]


def scored(frame: pd.DataFrame, contract: Contract) -> dict[str, float]:
    """Return the suspicious columns of a frame, and their scores."""
    schema = pa.schema([field for field in contract.arrow() if field.name != contract.id])
    return suspicious(pa.Table.from_pandas(frame, schema, preserve_index=False), contract, MAXIMUM)


def some_null(values: Any) -> pd.Series:
    """Return the values with every seventh one null, for both classes."""
    return pd.Series(values, dtype=object).where(np.arange(ROWS) % 7 > 0)


DATES = pd.Series(pd.Timestamp("2026-01-01") + pd.to_timedelta(RNG.permutation(ROWS), unit="D"))

COPIES: dict[str, tuple[str, Any]] = {
    "a boolean": ("boolean", TARGET),
    "an inverted boolean": ("boolean", ~TARGET),
    "0 and 1": ("integer", TARGET.astype(int)),
    "1 and 0 as doubles": ("number", 1.0 - TARGET),
    "a category": ("category", np.where(TARGET, "yes", "no")),
    "categories of one class each": ("category", np.where(TARGET, "left", np.where(COINS, "new", "old"))),
    "a threshold": ("number", np.where(TARGET, 5, 0) + RNG.random(ROWS)),
    "a threshold below": ("number", np.where(TARGET, 0, -1e-9) - RNG.random(ROWS) * 1e-10),
    "codes of one class each": ("integer", TARGET * 1 + RNG.integers(0, 5, ROWS) * 2),
    "a range": ("number", np.where(TARGET, RNG.uniform(40, 60, ROWS), 20 + 60 * COINS + NOISE)),
    "a date after the others": ("datetime", DATES + pd.to_timedelta(TARGET * 10_000, unit="D")),
    # Only churned customers have a date of leaving.
    "a date or null": ("datetime", DATES.where(TARGET)),
    "a text or null": ("category", pd.Series([f"ticket {i}" for i in range(ROWS)]).where(TARGET)),
    "null or a number": ("number", pd.Series(NOISE).where(~TARGET)),
    "a boolean with nulls": ("boolean", some_null(TARGET)),
    "a category with nulls": ("category", some_null(np.where(TARGET, "yes", "no"))),
    "almost a copy": ("boolean", TARGET ^ (np.arange(ROWS) == ROWS - 1)),
    "almost a threshold": ("number", np.where(TARGET ^ (np.arange(ROWS) == ROWS - 1), 5, 0) + NOISE * 0.01),
    "almost a range": (
        "number",
        np.where(TARGET ^ (np.arange(ROWS) < 5), RNG.uniform(40, 60, ROWS), 20 + 60 * COINS + NOISE),
    ),
    "a threshold with nulls": ("number", some_null(np.where(TARGET, 5, 0) + RNG.random(ROWS)).astype(float)),
}

HONEST: dict[str, tuple[str, Any]] = {
    "strong": ("number", TARGET * 2 + NOISE),
    "strong with nulls": ("number", some_null(TARGET * 2 + NOISE).astype(float)),
    "strong category": ("category", np.where(TARGET & COINS, "left", "other")),
    "distinct doubles": ("number", RNG.random(ROWS)),
    "distinct texts": ("category", [f"T-{i}" for i in range(ROWS)]),
    "numbers in order": ("integer", np.arange(ROWS)),
    "distinct dates": ("datetime", DATES),
    "one value": ("category", np.full(ROWS, "same")),
    "one number": ("number", np.zeros(ROWS)),
    "null throughout": ("number", np.full(ROWS, np.nan)),
    "null in one class, but not throughout": ("number", pd.Series(NOISE).where(~TARGET | COINS)),
    "null more often in one class": ("category", pd.Series(["a"] * ROWS).where(~TARGET | COINS)),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_of_the_target_is_found(name: str) -> None:
    assert found(x=COPIES[name]) == ["x"]


@pytest.mark.parametrize("name", HONEST)
def test_honest_column_passes(name: str) -> None:
    assert found(x=HONEST[name]) == []


@pytest.mark.parametrize("kind", ["category", "integer"])
def test_a_code_of_many_values_is_found(kind: str) -> None:
    rows, rng = 30_000, np.random.default_rng(0)
    codes = rng.integers(0, 1000, rows)
    contract = target_and(x={"type": kind}, honest={"type": "number"})
    frame = pd.DataFrame({"y": codes % 4 == 0, "x": codes, "honest": rng.normal(size=rows)})
    if kind == "category":
        frame["x"] = frame["x"].astype(str)

    assert list(scored(frame, contract)) == ["x"]


def test_copy_of_a_category_target_is_found() -> None:
    contract = target_and(x={"type": "integer"}, honest={"type": "number"}).model_dump()
    contract["columns"]["y"]["type"], contract["target"]["positive"] = "category", "malignant"
    declared = type(target_and(x={"type": "integer"})).model_validate(contract)
    frame = pd.DataFrame({"y": np.where(TARGET, "malignant", "benign"), "x": TARGET * 2, "honest": NOISE})

    assert list(scored(frame, declared)) == ["x"]


def test_a_sum_of_two_numbers_is_found() -> None:
    # A well-known example: casual and registered customers add up to the target.
    left = RNG.normal(size=ROWS) * 10
    assert found(a=("number", left), b=("number", TARGET * 3 - left)) == ["a + b"]


def test_a_sum_of_two_flags_is_found() -> None:
    # Each alone predicts little; their exclusive or is the target.
    assert found(a=("boolean", COINS), b=("boolean", COINS ^ TARGET)) == ["a + b"]
    assert found(a=("integer", COINS * 1), b=("boolean", COINS ^ TARGET)) == ["a + b"]
    # The churned customers are of two kinds.
    assert found(a=("boolean", COINS & TARGET), b=("boolean", ~COINS & TARGET)) == ["a + b"]


def test_a_sum_with_nulls_is_found() -> None:
    left = RNG.normal(size=ROWS)
    assert found(a=("number", some_null(left).astype(float)), b=("number", TARGET * 3 - left)) == ["a + b"]


def test_each_column_is_named_once() -> None:
    assert found(
        a=("boolean", TARGET), b=("category", np.where(TARGET, "yes", "no")), c=("number", TARGET * 2 + NOISE)
    ) == ["a", "b"]


@pytest.mark.parametrize("rows", [2, 10, 30, 60])
def test_few_rows_pass(rows: int) -> None:
    # Among few rows some column or sum separates the classes by chance.
    columns = {f"n{number}": ("number", RNG.normal(size=ROWS)) for number in range(20)}

    assert found(rows, **columns) == []


def test_rare_class_passes() -> None:
    # One positive in a thousand is the first or the last by some column.
    rare = np.arange(ROWS) == 17
    columns = {f"n{number}": ("number", RNG.normal(size=ROWS)) for number in range(40)}

    assert found(target=rare, **columns) == []


def test_single_class_passes() -> None:
    assert found(target=np.ones(ROWS, dtype=bool), x=("boolean", TARGET)) == []
    assert found(rows=0, x=("boolean", TARGET)) == []


def test_copy_is_found_after_rows_of_one_class() -> None:
    late = np.arange(ROWS) >= 1500

    assert found(target=late, x=("boolean", late), z=("number", late * 5 + RNG.random(ROWS))) == ["x", "z"]
    assert found(target=late, x=("boolean", late & COINS)) == []


@pytest.mark.parametrize("share", [0.5, 0.6, 0.8])
def test_a_sum_that_is_mostly_null_is_found(share: float) -> None:
    left = RNG.normal(size=ROWS) * 5
    right = pd.Series(TARGET * 3 - left).where(np.random.default_rng(1).random(ROWS) > share)

    assert found(a=("number", left), b=("number", right)) == ["a + b"]


def test_a_sum_is_found_where_a_class_is_rare() -> None:
    rows, rng = 50_000, np.random.default_rng(0)
    left = rng.normal(size=rows)
    contract = target_and(a={"type": "number"}, b={"type": "number"})
    for rate in (0.0005, 0.001, 0.01):
        rare = rng.random(rows) < rate
        frame = pd.DataFrame({"y": rare, "a": left, "b": rare * 3 - left})

        assert list(scored(frame, contract)) == ["a + b"], rate


def test_a_sum_that_is_a_code_of_many_values_is_found() -> None:
    rows, rng = 20_000, np.random.default_rng(0)
    codes, left = rng.integers(0, 400, rows), rng.integers(0, 1000, rows)
    contract = target_and(a={"type": "integer"}, b={"type": "integer"})
    frame = pd.DataFrame({"y": codes % 3 == 0, "a": left, "b": codes - left})

    assert list(scored(frame, contract)) == ["a + b"]


def one_column(kind: str, target: np.ndarray, values: Any) -> list[str]:
    contract = target_and(x={"type": kind, "nullable": True}, honest={"type": "number"})
    noise = np.random.default_rng(5).normal(size=len(target))
    return list(scored(pd.DataFrame({"y": target, "x": values, "honest": noise}), contract))


@pytest.mark.parametrize("rate", [0.27, 0.01])
@pytest.mark.parametrize("flipped", ["one positive", "one negative", "0.1 %"])
def test_copy_with_exceptions_of_a_rare_class_is_found(rate: float, flipped: str) -> None:
    rows, rng = 6_000, np.random.default_rng(6)
    target = rng.permutation(rows) < rows * rate
    wrong = np.zeros(rows, dtype=bool)
    if flipped == "0.1 %":
        wrong[rng.choice(rows, rows // 1000, replace=False)] = True
    else:
        wrong[np.flatnonzero(target if flipped == "one positive" else ~target)[0]] = True
    copy = target ^ wrong
    left = pd.Series(pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D"))
    # One code of 1,000, some of which belong to one class.
    codes = (
        np.where(copy, rng.integers(0, 1000 * rate, rows), rng.integers(1000 * rate, 1000, rows)) * 577 % 1000
    )

    assert one_column("datetime", target, left.where(copy)) == ["x"]
    assert one_column("boolean", target, copy) == ["x"]
    assert one_column("integer", target, codes) == ["x"]
    assert one_column("category", target, pd.Series(codes).astype(str)) == ["x"]
    assert one_column("number", target, np.where(copy, 50, 0) + rng.random(rows)) == ["x"]


def test_strong_honest_column_of_a_rare_class_passes() -> None:
    # Its ROC AUC is 0.96: 10 rare positives may all rank first by chance.
    rng = np.random.default_rng(7)
    for rows, positives in ((1_000, 10), (6_000, 60), (6_000, 1_600)):
        for _ in range(10):
            target = rng.permutation(rows) < positives
            assert one_column("number", target, rng.normal(size=rows) + 2.5 * target) == []


def test_most_predictive_sums_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.checks.leakage.MAX_SUMS", 3)
    columns = {f"n{number:02}": ("number", RNG.normal(size=ROWS)) for number in range(20)}
    columns |= {"a": ("number", NOISE * 9), "b": ("number", TARGET * 3 - NOISE * 9)}

    assert found(**columns) == ["a + b"]
