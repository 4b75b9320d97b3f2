"""Validation's rules for rows and for repeated ids."""

import math
from typing import Any

from pipeline.checks.rules import row_problems
from stages import table, target_and

import pytest

EXACT = 2**53


def problems(column: dict[str, Any], *values: Any) -> list[list[str]]:
    """Return the reasons for each row; the column `x` has the `values`."""
    contract = target_and(x=column, z={"type": "boolean"})
    rows = [{"_id": str(i), "y": True, "x": value, "z": True} for i, value in enumerate(values)]
    found = row_problems(table(rows, contract), contract)
    return [found.get(i, []) for i in range(len(values))]


@pytest.mark.parametrize(
    ("column", "good", "bad", "why"),
    [
        ({"type": "integer", "minimum": 0}, [0, 1, 2**62], [-1, -(2**62)], "below the minimum 0"),
        ({"type": "integer", "maximum": 120}, [120, -5], [121], "above the maximum 120"),
        # Bounds beyond doubles and 64-bit integers are exact too.
        ({"type": "integer", "maximum": EXACT}, [EXACT], [EXACT + 1], f"above the maximum {EXACT}"),
        ({"type": "integer", "minimum": 0.5}, [1], [0], "below the minimum 0.5"),
        ({"type": "integer", "minimum": 10**20}, [], [2**62], f"below the minimum {10**20}"),
        ({"type": "number", "minimum": 0}, [0.0, -0.0, 5e-324], [-5e-324], "below the minimum 0"),
        ({"type": "number", "maximum": 0.1}, [0.1], [math.nextafter(0.1, 1)], "above the maximum 0.1"),
        ({"type": "number"}, [1e308], [math.inf, -math.inf, math.nan], "not a finite number"),
        ({"type": "category", "values": ["a", "b"]}, ["a", "b"], ["A", "a ", "", "None"], "not one of a, b"),
        ({"type": "category"}, ["a", " ", "ü"], [""], "an empty text"),
        ({"type": "string"}, ["a", ""], [], ""),
        ({"type": "boolean"}, [True, False], [], ""),
    ],
    ids=str,
)
def test_rules(column: dict[str, Any], good: list[Any], bad: list[Any], why: str) -> None:
    found = problems(column, *good, *bad)

    assert found[: len(good)] == [[]] * len(good)
    assert found[len(good) :] == [[f"x: is {value!r}, {why}"] for value in bad]


@pytest.mark.parametrize("kind", ["integer", "number", "boolean", "category", "datetime", "string"])
def test_null_is_refused_unless_nullable(kind: str) -> None:
    assert problems({"type": kind}, None) == [["x: is null, but it is required"]]
    assert problems({"type": kind, "nullable": True}, None) == [[]]


def test_null_breaks_one_rule_only() -> None:
    assert problems({"type": "integer", "minimum": 5, "maximum": 6, "nullable": True}, None, 4) == [
        [],
        ["x: is 4, below the minimum 5"],
    ]
    assert problems({"type": "category", "values": ["a"], "nullable": True}, None) == [[]]


def test_nan_is_not_null() -> None:
    # A nullable column accepts null, but not NaN.
    found = problems({"type": "number", "minimum": 0, "nullable": True}, None, math.nan, 1.0)

    assert found == [[], ["x: is nan, not a finite number"], []]


def test_a_row_has_all_its_reasons() -> None:
    contract = target_and(a={"type": "integer", "maximum": 5}, b={"type": "number"})
    rows = [
        {"_id": "1", "y": True, "a": 5, "b": 0.5},
        {"_id": "2", "y": None, "a": EXACT + 1, "b": None},
    ]

    assert row_problems(table(rows, contract), contract) == {
        1: [
            "y: is null, but it is required",
            # The reason quotes the integer exactly, not the nearest double.
            f"a: is {EXACT + 1}, above the maximum 5",
            "b: is null, but it is required",
        ]
    }


def test_a_part_without_rows_has_no_problems() -> None:
    contract = target_and(x={"type": "category", "values": ["a"]}, n={"type": "number", "minimum": 0})

    assert row_problems(table([], contract), contract) == {}


def test_a_reason_quotes_the_beginning_of_a_long_value() -> None:
    [[reason]] = problems({"type": "category", "values": ["a"]}, "long" * 1_000_000)

    assert reason.startswith("x: is 'longlong")
    assert reason.endswith("..., not one of a")
    assert len(reason) < 200
