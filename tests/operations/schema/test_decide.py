"""The decision on a field, by its values."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from operations.schema.decide import Decision, decisions
from operations.schema.profile import MOST_FIELDS, MOST_VALUES, Profile
from operations.schema.propose import propose
from operations.schema.reading import Documents
from operations.schema.table import lines_of
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
        (lambda row: 1 if row < 2 else MISSING, "rare: only 2 documents have it"),
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
        ("mobile_phone", lambda row: 491700000000 + row, "personal data: looks like a phone number"),
        ("customerId", lambda row: 7 * row, "near-unique integers: an identifier"),
        ("a.b", lambda row: row, "a dotted path cannot name it: a name has a dot, is empty or starts with $"),
    ],
)
def test_name_and_values_mark_personal_data(name: str, values: Callable[[int], Any], why: str) -> None:
    assert decided(values, name).why == why


def test_field_in_a_mixed_parent_is_left_out() -> None:
    """The server sends no value for it, so ingestion would reject the document."""
    documents = [{"_id": row, "plan": {"price": row} if row % 9 else "none"} for row in range(90)]

    plan, price = decisions(Profile(documents), complete=True)[1:]

    assert plan.why == "mixed types: document 80 times (1 fields), text 10 times (none)"
    assert price.why == "inside plan, which is not a document in 10 documents"


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
            "name": {"path": "plan.name", "type": "category", "values": ["basic", "pro"]},
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
    assert proposal.decisions[-1].why == "the target: 8 against 8 other values"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("churned", "name a field and the value that the model predicts"),
        (
            "churn=true",
            "no document that was read has this field; candidates are churned=true, plan.name=basic",
        ),
        ("churned=maybe", "no document that was read has this value; churned has true, false"),
        ("cancelled.reason=price", "every document that was read has this value"),
    ],
)
def test_impossible_target_is_refused_with_candidates(target: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        propose(lambda: iter(CUSTOMERS), True, target, 0.99)


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
    assert lines[3] == ["age", "100.0%", "integer, string", "0, forty, 1", "age: integer 0..200"]
    assert lines[4][3:] == ["(hidden)", "left out: personal data: looks like an e-mail address"]
