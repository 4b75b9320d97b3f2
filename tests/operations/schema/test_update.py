"""A second inference keeps what the present schema declares."""

from typing import Any

from operations.schema.propose import Proposal, propose
from operations.schema.update import merged
from pipeline.config.contract import Contract

import pytest

PRESENT: dict[str, Any] = {
    "id": "key",
    "target": {"column": "left", "positive": True},
    "columns": {
        "speed": {"path": "a.v", "type": "number", "minimum": -5},
        "mail": {"path": "mail", "type": "string"},
        "copy": {"path": "copy", "type": "integer"},
        "gone": {"path": "gone", "type": "boolean"},
        "v": {"path": "sent", "type": "integer", "minimum": 0, "maximum": 9, "nullable": True},
        "note": {"path": "note", "type": "string"},
        "left": {"path": "left", "type": "boolean"},
    },
}


def inferred() -> Proposal:
    """Return the proposal for documents that have most of the fields of `PRESENT`."""
    documents = [
        {
            "key": number,
            "a": {"v": number % 7},
            "b": {"v": number % 5},
            "mail": f"c{number}@example.org",
            "copy": int(number % 3 == 0),
            "gone": None,
            "sent": number % 30,
            "note": number,
            "left": number % 3 == 0,
        }
        for number in range(90)
    ]
    return propose(lambda: iter(documents), True, "left=true", 0.99, Contract.model_validate(PRESENT))


def test_declared_columns_stay() -> None:
    """The exceptions: a field without a value, a leak, and a declaration that rejects documents."""
    section = inferred().section

    assert section is not None
    assert section["id"] == "key"
    assert section["columns"] == {
        # Declared without a maximum, and as any number.
        "speed": {"path": "a.v", "type": "number", "minimum": -5},
        # The name that inference would choose is taken.
        "b_v": {"path": "b.v", "type": "integer", "minimum": 0, "maximum": 10},
        "mail": {"path": "mail", "type": "string"},
        "v": {"path": "sent", "type": "integer", "minimum": 0, "maximum": 100, "nullable": True},
        "note": {"path": "note", "type": "integer", "minimum": 0, "maximum": 200},
        "left": {"path": "left", "type": "boolean"},
    }


@pytest.mark.parametrize(
    ("present", "proposed", "wider"),
    [
        ({"type": "boolean"}, None, {"type": "boolean"}),
        ({"type": "integer", "maximum": 900}, {"type": "integer", "maximum": 20}, {"maximum": 900}),
        ({"type": "integer"}, {"type": "integer", "minimum": 0}, {}),
        ({"type": "number", "minimum": 3}, {"type": "integer", "minimum": 0}, {"minimum": 0}),
        ({"type": "integer"}, {"type": "number", "minimum": 0}, {"type": "number", "minimum": 0}),
        (
            {"type": "category", "values": ["b"]},
            {"type": "category", "values": ["a", "b"]},
            {"values": ["b", "a"]},
        ),
        ({"type": "category", "values": ["b"]}, {"type": "category", "nullable": True}, {"nullable": True}),
        ({"type": "string"}, {"type": "category", "values": ["a"]}, {}),
        ({"type": "category"}, {"type": "boolean"}, {"type": "boolean"}),
    ],
)
def test_the_wider_declaration(
    present: dict[str, Any], proposed: dict[str, Any] | None, wider: dict[str, Any]
) -> None:
    assert merged(present, proposed) == {"type": present["type"]} | wider
