"""The decision on a field, by its values."""

import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from operations.schema.decide import Decision, decisions
from operations.schema.profile import MOST_FIELDS, MOST_VALUES, Profile
from operations.schema.propose import propose
from operations.schema.reading import Documents
from operations.schema.table import MOST_LINES, lines_of
from pipeline.config.errors import ConfigurationError
from values import MISSING

import pytest
from bson import Decimal128, ObjectId

ROWS = 1_000
DAY = datetime(2026, 1, 1, tzinfo=UTC)
IBAN = "DE89 3704 0044 0532 0130 00"


def decided(values: Callable[[int], Any], name: str = "field", complete: bool = True) -> Decision:
    """Return the decision on a field of 1,000 documents, given the value of each."""
    rows = [values(row) for row in range(ROWS)]
    documents = [
        {"_id": row, name: value} if value is not MISSING else {"_id": row} for row, value in enumerate(rows)
    ]
    return decisions(Profile(documents), complete)[1]


@pytest.mark.parametrize(
    ("values", "column"),
    [
        (lambda row: row % 60, {"type": "integer", "minimum": 0, "maximum": 200}),
        (lambda row: row % 60 - 20, {"type": "integer", "minimum": -50, "maximum": 100}),
        (lambda row: -1.5 - row % 3, {"type": "number", "minimum": -10, "maximum": 0}),
        (lambda row: row % 7 / 1000, {"type": "number", "minimum": 0, "maximum": 0.02}),
        (lambda row: row % 400 if row % 2 else 0.5, {"type": "number", "minimum": 0, "maximum": 1000}),
        (lambda row: Decimal128(f"{row % 400}.99"), {"type": "number", "minimum": 0, "maximum": 1000}),
        (lambda row: 10**18 * (row % 2 + 1), {"type": "integer", "minimum": 0}),
        (lambda row: row % 2, {"type": "integer", "minimum": 0, "maximum": 1}),
        (lambda row: float(row % 2), {"type": "integer", "minimum": 0, "maximum": 1}),
        (lambda row: row % 2 == 0, {"type": "boolean"}),
        (lambda row: True if row % 2 else MISSING, {"type": "boolean", "nullable": True}),
        (lambda row: "yes" if row % 2 else "no", {"type": "category", "values": ["no", "yes"]}),
        (lambda row: ["a", "b", None][row % 3], {"type": "category", "values": ["a", "b"], "nullable": True}),
        (lambda row: f"city {row % 60}", {"type": "category"}),
        (lambda row: DAY + timedelta(row), {"type": "datetime"}),
    ],
)
def test_a_useful_field_becomes_a_column(values: Callable[[int], Any], column: dict[str, Any]) -> None:
    assert decided(values).column == column


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (lambda _: [1, 2], "an array: a path names one value; store its length or an element as a field"),
        (lambda _: 5, "constant: all documents have the same value"),
        (lambda _: None, "always null"),
        (lambda row: 1 if row < 2 else MISSING, "rare: in only 2 of 1,000 documents"),
        (
            lambda row: row if row % 4 else f"{row} pieces",
            "mixed types: number 750 times (1), text 250 times (0 pieces)",
        ),
        (lambda row: ObjectId(f"{row:024x}"), "no model uses the type ObjectId"),
        (lambda row: f"ticket-{row}", "near-unique texts: an identifier"),
        (lambda row: f"the customer number {row} is not amused", "free text"),
        (lambda row: f"{row % 40}.5", "numbers stored as text: store numbers"),
        (lambda row: f"2026-01-{row % 28 + 1:02}", "dates stored as text: store dates"),
        (lambda row: f"word{row % 201}", "201 different texts: too many for a category"),
        (
            lambda row: float("nan") if row % 4 == 0 else row / 2,
            "250 of 1,000 values are not numbers: one is NaN, not a value",
        ),
        (lambda row: f"jane{row}@example.org", "personal data: looks like an e-mail address"),
        (lambda row: f"+49 170 {row:07}", "personal data: looks like a phone number"),
        (lambda row: IBAN[:-2] + f"{row % 90 + 10}", "personal data: looks like an IBAN"),
    ],
)
def test_useless_field_is_left_out_with_a_reason(values: Callable[[int], Any], why: str) -> None:
    decision = decided(values)

    assert (decision.column, decision.why) == (None, why)


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("lastName", lambda row: f"Doe{row % 100}", "personal data: looks like a person's name"),
        (
            "contact",
            lambda row: row if row % 3 else f"c{row}@example.org",
            "personal data: looks like an e-mail address",
        ),
        ("mobile_phone", lambda row: 491700000000 + row, "personal data: looks like a phone number"),
        ("customerId", lambda row: 7 * row, "near-unique integers: an identifier"),
        (
            "a.b",
            lambda row: row,
            "a dotted path cannot name it, since a name has a dot, is empty or starts with $: rename it",
        ),
    ],
)
def test_name_and_values_mark_personal_data(name: str, values: Callable[[int], Any], why: str) -> None:
    assert decided(values, name).why == why


def test_field_in_a_mixed_parent_is_left_out() -> None:
    """The server sends no value for it, so ingestion would reject the document."""
    documents = [{"_id": row, "plan": {"price": row} if row % 9 else "none"} for row in range(90)]

    plan, price = decisions(Profile(documents), complete=True)[1:]

    assert plan.why == "mixed types: document 80 times (1 fields), text 10 times (none)"
    assert price.why == "inside plan, which is not a document in 10 of 90"


def test_name_alone_is_not_personal_data() -> None:
    assert decided(lambda row: row % 2 == 0, "phone").column == {"type": "boolean"}
    assert decided(lambda row: "basic" if row % 3 else "pro", "name").column


def test_a_rare_category_of_a_sample_is_not_listed() -> None:
    """The documents that were not read have other rare values."""
    decision = decided(lambda row: "rare" if row == 5 else f"kind {row % 3}", complete=False)

    assert decision.column == {"type": "category"}
    assert decision.why == "4 values, not listed, since some are rare"


def test_profile_has_bounded_memory() -> None:
    profile = Profile(
        {"_id": row, "text": f"{row}" * 1000, "map": {f"customer {row}": 1}} for row in range(5_000)
    )

    assert len(profile.fields) == MOST_FIELDS
    assert profile.not_kept == 5_000 + 3 - MOST_FIELDS
    text = profile.fields["text",]
    assert len(text.values) == MOST_VALUES
    assert max(len(value) for _, value in text.values) < 200
    assert [len(texts) for texts in text.examples.values()] == [3]


CUSTOMERS = [
    {
        "_id": row,
        "plan": {"name": "pro" if row % 5 else "basic", "price": row % 50},
        "cancelled": {"reason": "price"} if row % 4 == 0 else {},
        "class": row % 9,
        "churned": row % 4 == 0,
    }
    for row in range(ROWS)
]


def test_the_target_and_its_consequence() -> None:
    proposal = propose(lambda: iter(CUSTOMERS), True, "churned=true", 0.99)

    assert proposal.section == {
        "id": "_id",
        "target": {"column": "churned", "positive": True},
        "columns": {
            "plan_name": {"path": "plan.name", "type": "category", "values": ["basic", "pro"]},
            "price": {"path": "plan.price", "type": "integer", "minimum": 0, "maximum": 100},
            "class_": {"path": "class", "type": "integer", "minimum": 0, "maximum": 20},
            "churned": {"path": "churned", "type": "boolean"},
        },
    }
    (left_out,) = [one for one in proposal.decisions if one.path == "cancelled.reason"]
    assert left_out.why == "looks like a consequence of the target: reason alone has ROC AUC 1.0000"


def test_target_value_against_the_rest() -> None:
    proposal = propose(lambda: iter(CUSTOMERS), True, "class=8", 0.99)

    assert (proposal.section or {})["target"] == {"column": "class_", "positive": 8}
    assert proposal.decisions[-1].why == "the target: 8 in 111 of 1,000 documents, against 8 other values"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("churned", "name a field and the value that the model predicts"),
        (
            "churn=true",
            "no document that was read has this field; candidates are churned=true, plan.name=basic",
        ),
        ("churned=maybe", "no document that was read has this value; churned has true, false"),
        (
            "cancelled.reason=price",
            "all 250 documents with a value have this one, and 750 have none: null is not a class",
        ),
        ("_id=5", "the id of a document cannot be the target"),
        ("plan=pro", "plan: a document: name a field inside it, such as plan.name"),
    ],
)
def test_impossible_target_is_refused_with_candidates(target: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        propose(lambda: iter(CUSTOMERS), True, target, 0.99)


@pytest.mark.parametrize(
    ("values", "target", "message"),
    [
        (
            lambda row: True if row % 2 else 1,
            "y=true",
            "mixed types: number 500 times .1., boolean 500 times",
        ),
        (lambda row: 5 if row == 7 else None, "y=5", "rare: in only 1 of 1,000 documents"),
        (lambda _: None, "y=5", "always null"),
        (lambda row: "a" if row % 2 else "b", "y.z=a", "no document that was read has this field"),
        (lambda row: [1] * (row % 2), "y=1", "an array: a path names one value"),
        (lambda row: row % 2, "y=True", "y has 0, 1: try --target y=1"),
        (lambda row: ["No", "Yes"][row % 2], "y=yes", "y has No, Yes: try --target y=Yes"),
        (
            lambda row: True if row < 4 else row % 2,
            "y=true",
            "another type than most values: number 996 times",
        ),
        (lambda row: row == 3, "y=true", "only one document that was read has this value"),
        (lambda row: row != 3, "y=true", "only one document that was read has another value"),
        (lambda row: row / 2, "y=1", "500 of 1,000 values are not integers: one is 0.5, not a whole number"),
        (lambda row: DAY + timedelta(row), "y=1", "a date cannot be the target"),
        (lambda row: row, "y=777", "the first 500 different values do not include it"),
        (lambda row: f"jane{row}@example.org", "y=zzz", "looks like an e-mail address: name another field"),
    ],
)
def test_a_refused_target_names_the_reason(values: Callable[[int], Any], target: str, message: str) -> None:
    documents = [{"_id": row, "y": values(row), "x": row % 7} for row in range(ROWS)]

    with pytest.raises(ConfigurationError, match=message) as error:
        propose(lambda: iter(documents), True, target, 0.99)

    assert "jane" not in str(error.value)


def test_few_documents_of_a_class_are_a_warning() -> None:
    documents = [{"_id": row, "y": row < 29, "x": row % 7, "n": row % 600} for row in range(ROWS)]

    few, many, one = (
        propose(lambda: iter(documents), True, target, 1).target for target in ("y=true", "y=false", "n=7")
    )

    assert few
    assert "only 29 of 1,000 documents have this value" in (few.warning or "")
    assert many
    assert "only 29 of 1,000 documents have another value" in (many.warning or "")
    assert one
    assert one.decision.why == "the target: 7 in 2 of 1,000 documents, against 499 or more other values"


def test_candidates_are_possible_targets() -> None:
    """Names and values may hold `=`, spaces and quotes; the shell must not split them."""
    documents = [
        {
            "_id": row,
            "a": {"b=c": "it's, so" if row % 3 else " = x"},
            "f": [0.5, 1.5][row % 2],
            "x.y": row % 2,
        }
        | {"long": ("x" * 40 if row % 4 else "y"), "one": row == 1, "n": row % 7}
        for row in range(ROWS)
    ]
    found = propose(lambda: iter(documents), True, None, 0.99).candidates

    assert found == ["'a.b=c= = x'", "long=y"]
    (target,) = shlex.split(found[0])
    chosen = propose(lambda: iter(documents), True, target, 0.99)
    assert (chosen.section or {})["target"]["positive"] == " = x"
    with pytest.raises(ConfigurationError, match=r"x\.y: a dotted path cannot name it"):
        propose(lambda: iter(documents), True, "x.y=1", 0.99)


def test_an_almost_perfect_ranking_is_a_warning() -> None:
    documents = [
        {"_id": row, "y": row % 2 == 0, "hint": row % 2 if row % 50 else row // 50 % 2, "x": row % 7}
        for row in range(ROWS)
    ]

    proposal = propose(lambda: iter(documents), True, "y=true", 0.99)

    (hint,) = [decision for decision in proposal.decisions if decision.path == "hint"]
    assert hint.column
    assert hint.why.startswith(
        "a boolean stored as 0 and 1; warning: alone ranks the target with ROC AUC 0.9"
    )


def test_a_table_of_many_fields_is_short() -> None:
    documents = [{"_id": row, f"key{row}": 1, "n": row % 7, "y": row % 2} for row in range(ROWS)]
    proposal = propose(lambda: iter(documents), True, "y=1", 0.99)

    lines = list(lines_of(proposal, Documents("a.b", ROWS, True, None, Any, {})))  # type: ignore[arg-type]

    assert len(lines) == MOST_LINES + 4
    assert [line.split()[0] for line in lines[2:4]] == ["y", "n"]
    assert lines[-2] == f"and {ROWS + 3 - MOST_LINES} more fields: do names of fields contain data?"


def test_columns_that_reject_too_much_are_left_out() -> None:
    """Each of 40 columns has a wrong value in one of 250 documents: together they reject 16 %."""
    columns = range(40)
    documents = [
        {"_id": row, **{f"c{each}": "?" if row % 250 == each else row % 9 for each in columns}, "y": row % 2}
        for row in range(1_000)
    ]

    proposal = propose(lambda: iter(documents), True, "y=1", 0.99)

    assert proposal.proof is not None
    assert proposal.proof.rejected <= 5
    reasons = [decision.why for decision in proposal.decisions if decision.column is None]
    assert reasons.count("would reject 4 of 1,000 documents") == 39


def test_table_shows_types_and_hides_personal_data() -> None:
    documents = [
        {"_id": row, "age": "forty" if row == 250 else row % 90, "email": f"c{row}@example.org"}
        for row in range(500)
    ]
    proposal = propose(lambda: iter(documents), True, None, 0.99)
    read = Documents("shop.customers", 500, True, None, Any, {})  # type: ignore[arg-type]

    lines = [re.split("  +", line) for line in lines_of(proposal, read)]

    assert lines[0] == ["shop.customers: all 500 documents read"]
    assert lines[3] == ["age", "100.0%", "0.0%", "integer, string", "0, forty, 1", "age: integer 0..200"]
    assert lines[4][4:] == ["(hidden)", "left out: personal data: looks like an e-mail address"]
