"""Documents with one column of each type, and every kind of value for it."""

import math
import uuid
from datetime import UTC, datetime
from typing import Any

from pipeline.config.contract import Contract
from reading import Document

from bson import (
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)

TYPES = ("integer", "number", "boolean", "category", "string", "datetime")
GOOD: Document = {
    "integer": 7,
    "number": 0.1,
    "boolean": True,
    "category": "red",
    "string": "x",
    "datetime": datetime(2026, 1, 31, 12, 30, 0, 123000, UTC),
}
MISSING = object()
VALUES: Document = {
    "missing": MISSING,
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "int32": -(2**31),
    "int64": Int64(5),
    "int64 of a small double": Int64(2**53),
    "int64 beyond the doubles": Int64(2**53 + 1),
    "largest int64": Int64(2**63 - 1),
    "smallest int64": Int64(-(2**63)),
    "whole double": -3.0,
    "minus zero": -0.0,
    "fractional double": 2.5,
    "tiny double": 5e-324,
    "double of 64 bits": 2.0**63,
    "huge double": 1e300,
    "NaN": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "decimal": Decimal128("1.5"),
    "decimal of money": Decimal128("-19999.99"),
    "decimal of 15 digits": Decimal128("0.123456789012345"),
    "decimal with zeros": Decimal128("12.5000000000000000000"),
    "decimal of 34 digits": Decimal128("0.1000000000000000055511151231257827"),
    "decimal of 17 digits": Decimal128("0.12345678901234567"),
    "huge decimal": Decimal128("1E+400"),
    "tiny decimal": Decimal128("1.5E-320"),
    "decimal NaN": Decimal128("NaN"),
    "decimal infinity": Decimal128("-Infinity"),
    "empty string": "",
    "string": "red",
    "string of digits": "12",
    "string 'true'": "true",
    "string 'NaN'": "NaN",
    "unicode": "na\u00efve \U0001f600 \u05e9\u05dc\u05d5\u05dd \u2028 e\u0301",
    "string with NUL": "a\0b",
    "date": datetime(1969, 12, 31, 23, 59, 59, 999000, UTC),
    "array": [1, 2],
    "empty array": [],
    "document": {"a": 1},
    "empty document": {},
    "ObjectId": ObjectId(b"x" * 12),
    "binary": b"red",
    "UUID": Binary(uuid.UUID(int=1).bytes, 4),
    "regex": Regex("red", "i"),
    "timestamp": Timestamp(1, 2),
    "code": Code("red"),
    "code with scope": Code("red", {"a": 1}),
    "reference": DBRef("customers", 1),
    "MinKey": MinKey(),
    "MaxKey": MaxKey(),
}
INTEGERS = {"zero", "int32", "int64", "int64 of a small double", "whole double", "minus zero"}
STRINGS = {name for name, value in VALUES.items() if type(value) is str}
ACCEPTED = {
    "integer": INTEGERS | {"int64 beyond the doubles", "largest int64", "smallest int64"},
    "number": INTEGERS
    | {"fractional double", "tiny double", "double of 64 bits", "huge double"}
    | {"decimal", "decimal of money", "decimal of 15 digits", "decimal with zeros"},
    "boolean": {"true", "false"},
    "category": STRINGS,
    "string": STRINGS,
    "datetime": {"date"},
}


def contract(**nullable: bool) -> Contract:
    """A contract with one column of each type, at required.<type> or optional.<type>."""
    places = {kind: "optional" if nullable.get(kind) else "required" for kind in TYPES}
    columns = {
        kind: {"path": f"{place}.{kind}", "type": kind, "nullable": place == "optional"}
        for kind, place in places.items()
    }
    target = {"path": "target", "type": "boolean"}
    return Contract.model_validate(
        {"target": {"column": "target", "positive": True}, "columns": columns | {"target": target}}
    )


def document(identity: Any, **values: Any) -> Document:
    """Return a document that fits the contract except for the given values."""
    fields = {name: value for name, value in (GOOD | values).items() if value is not MISSING}
    return {
        "_id": identity,
        "required": fields,
        "optional": dict(fields),
        "target": False,
        "kept": [identity],
    }


def identical(value: Any, source: Any) -> bool:
    """Return whether a value of a Parquet row is the document's value, to the last bit."""
    if isinstance(source, Decimal128):
        source = float(str(source))
    if isinstance(value, float):
        return value.hex() == float(source).hex() and (type(source) is float or int(value) == source)
    if isinstance(source, datetime):
        source = source.replace(tzinfo=None)
    return value == source and (type(value) is not bool) == (type(source) is not bool)
