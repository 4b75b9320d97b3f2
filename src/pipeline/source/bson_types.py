"""The BSON types that each type of column accepts, and their names in messages."""

import math
from datetime import datetime
from decimal import Decimal
from typing import Any

from pipeline.config.contract import Column

from bson import Binary, Code, DatetimeMS, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

# Beyond this a double no longer holds every integer.
EXACT = 2**53
# The values of `$type` for the parent of a nullable column that is null.
HOLDERS = ("object", "missing", "null", "undefined")


class Missing:
    """The type of a missing field."""


MISSING = Missing()

BSON_NAMES: dict[type, str] = {
    Missing: "missing",
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    Int64: "an integer",
    float: "a double",
    str: "a string",
    dict: "a document",
    list: "an array",
    datetime: "a date",
    DatetimeMS: "a date",
    ObjectId: "an ObjectId",
    Decimal128: "a decimal",
    Binary: "binary data",
    bytes: "binary data",
    Regex: "a regular expression",
    Code: "code",
    Timestamp: "a timestamp",
    MinKey: "MinKey",
    MaxKey: "MaxKey",
}
ACCEPTED: dict[str, tuple[type, ...]] = {
    "integer": (int, Int64, float),
    "number": (float, int, Int64, Decimal128),
    "boolean": (bool,),
    "category": (str,),
    "string": (str,),
    "datetime": (datetime, DatetimeMS),
}


def type_name(value: Any) -> str:
    """Return the name of a value's type, for a message."""
    return BSON_NAMES.get(type(value), type(value).__name__)


def wrong_type(name: str, column: Column, kind: type) -> str | None:
    """Return why a column cannot have a value of this type (`Missing` for a missing field), or None."""
    if kind in ACCEPTED[column.type]:
        return None
    type_text = BSON_NAMES.get(kind, kind.__name__)
    if kind in (Missing, type(None)):
        return None if column.nullable else f"{name}: is {type_text}, but it is required ({column.path})"
    article = "an" if column.type == "integer" else "a"
    return f"{name}: is {type_text}, not {article} {column.type} ({column.path})"


def inexact(kind: str, value: Any) -> str | None:
    """Return why a number is invalid for the type `kind` (not finite, not whole, too large), or None."""
    # Other values are judged by their type alone.
    if type(value) is float:
        return None if kind == "number" and math.isfinite(value) else _inexact_double(kind, value)
    if kind == "number" and type(value) in (int, Int64) and abs(value) > EXACT:
        return f"is {int(value)}, too large an integer to be a number without loss"
    if kind == "number" and type(value) is Decimal128:
        return _inexact_decimal(value)
    return None


def _inexact_double(kind: str, value: float) -> str | None:
    if math.isnan(value):
        return "is NaN, not a value"
    if math.isinf(value):
        return "is infinite"
    if kind == "integer" and not value.is_integer():
        return f"is {value!r}, not a whole number"
    if kind == "integer" and abs(value) > EXACT:
        return f"is {value!r}, too large a double to be one certain integer"
    return None


def double_of(value: Decimal128) -> float:
    """Return the double that is nearest to a decimal."""
    return float(value.to_decimal())


def _inexact_decimal(value: Decimal128) -> str | None:
    decimal, double = value.to_decimal(), double_of(value)
    if decimal.is_nan():
        return "is NaN, not a value"
    if math.isinf(double):
        return "is infinite" if decimal.is_infinite() else f"is {value}, too large for a double"
    # Any 15 significant digits survive in a double; more of them only if they are those of a double.
    if decimal in (Decimal(f"{double:.14e}"), Decimal(double)):
        return None
    return f"is {value}, which a double does not hold: it holds 15 significant digits"
