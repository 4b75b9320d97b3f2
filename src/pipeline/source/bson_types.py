"""Which BSON types a column takes, and what a person calls them."""

import math
from datetime import datetime
from typing import Any

from pipeline.config.contract import Column

from bson import Binary, Code, DatetimeMS, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

# Beyond this a double no longer holds every integer.
_EXACT = 2**53


class Missing:
    """The type of what is not there."""


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
    "number": (float, int, Int64),
    "boolean": (bool,),
    "category": (str,),
    "string": (str,),
    "datetime": (datetime, DatetimeMS),
}


def type_name(value: Any) -> str:
    """Say what a value is, as a person would."""
    return BSON_NAMES.get(type(value), type(value).__name__)


def wrong_type(name: str, column: Column, kind: type) -> str | None:
    """Say why a column cannot hold a value of a type (`Missing` where there is none), or return None."""
    if kind in ACCEPTED[column.type]:
        return None
    found = BSON_NAMES.get(kind, kind.__name__)
    if kind in (Missing, type(None)):
        return None if column.nullable else f"{name}: is {found}, but it is required ({column.path})"
    return f"{name}: is {found}, not {_article(column.type)} ({column.path})"


def _article(kind: str) -> str:
    return f"an {kind}" if kind == "integer" else f"a {kind}"


def inexact(kind: str, value: Any) -> str | None:
    """Say why a number is no value of a column of type `kind`: not finite, not whole, too large."""
    # Booleans, strings and the like have their verdict by type.
    if type(value) is float:
        if math.isnan(value):
            return "is NaN, not a value"
        if math.isinf(value):
            return "is infinite"
        if kind == "integer" and not value.is_integer():
            return f"is {value!r}, not a whole number"
        if kind == "integer" and abs(value) > _EXACT:
            return f"is {value!r}, too large a double to be one certain integer"
    elif kind == "number" and type(value) in (int, Int64) and abs(value) > _EXACT:
        return f"is {int(value)}, too large an integer to be a number without loss"
    return None
