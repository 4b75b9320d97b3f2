"""Profiles documents: the types, values and examples of each field, in bounded memory."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from operations.schema.names import Path
from operations.schema.texts import forms
from pipeline.source.bson_types import BSON_NAMES, double_of, inexact

from bson import DatetimeMS, Decimal128, Int64

# For each field, the number of different values, of examples of each type, and of characters of an example.
MOST_VALUES, MOST_EXAMPLES, LONGEST_EXAMPLE = 500, 3, 24
# The names of fields may be data, such as ids of customers: beyond this number, fields are only counted.
MOST_FIELDS = 2_000

FAMILIES: dict[type, str] = {
    bool: "boolean",
    int: "number",
    Int64: "number",
    float: "number",
    Decimal128: "number",
    str: "text",
    datetime: "date",
    DatetimeMS: "date",
    dict: "document",
    list: "array",
}
VALUES = ("boolean", "number", "text", "date")


class Field:
    """A field of the documents, with the counts of its types and values."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.types: Counter[type] = Counter()
        self.examples: dict[str, list[str]] = {}
        # By family and value, up to `MOST_VALUES`; `seen` is the number of values until this limit.
        self.values: Counter[tuple[str, Any]] = Counter()
        self.seen = 0
        self.smallest: float | None = None
        self.largest: float | None = None
        # Values that the types `number` and `integer` reject, and the forms of texts (an e-mail address).
        self.not_number: Counter[str] = Counter()
        self.not_integer: Counter[str] = Counter()
        self.forms: Counter[str] = Counter()

    def add(self, value: Any) -> None:
        """Count a value."""
        kind = type(value)
        self.types[kind] += 1
        family = FAMILIES.get(kind, "other")
        if family not in VALUES:
            if value is not None:
                self._example(type_text(kind), value)
            return
        if family == "number":
            self._add_number(value)
        elif family == "text":
            self.forms.update(forms(value))
        key = (family, _key(value))
        if len(self.values) < MOST_VALUES:
            self.seen += 1
            if key not in self.values:
                self._example(type_text(kind), value)
            self.values[key] += 1
        elif key in self.values:
            self.values[key] += 1

    def _add_number(self, value: Any) -> None:
        for kind, counts in (("number", self.not_number), ("integer", self.not_integer)):
            if type(value) is Decimal128 and kind == "integer":
                counts["is a decimal"] += 1
            elif problem := inexact(kind, value):
                counts[problem if not counts else next(iter(counts))] += 1
        if type(value) in (int, Int64) or not inexact("number", value):
            number = double_of(value) if type(value) is Decimal128 else value
            self.smallest = number if self.smallest is None else min(self.smallest, number)
            self.largest = number if self.largest is None else max(self.largest, number)

    def _example(self, kind: str, value: Any) -> None:
        examples = self.examples.setdefault(kind, [])
        if len(examples) < MOST_EXAMPLES:
            text = short(value)
            if text not in examples:
                examples.append(text)

    @property
    def present(self) -> int:
        """The number of documents in which the field has a value."""
        return self.types.total() - self.nulls

    @property
    def nulls(self) -> int:
        """The number of documents in which the field is null."""
        return self.types[type(None)]

    @property
    def families(self) -> Counter[str]:
        """The number of values of each family: `boolean`, `number`, `text`, `date`, `document`, `array`."""
        counts: Counter[str] = Counter()
        for kind, count in self.types.items():
            if kind is not type(None):
                counts[FAMILIES.get(kind, type_text(kind))] += count
        return counts

    @property
    def distinct(self) -> int:
        """The number of different values, at most `MOST_VALUES`."""
        return len(self.values)

    @property
    def unique_share(self) -> float:
        """The share of different values among the first ones, up to `MOST_VALUES` different ones."""
        return len(self.values) / self.seen if self.seen else 0.0


class Profile:
    """The fields of documents, by path, in the order of their first appearance."""

    def __init__(self, documents: Iterable[dict[str, Any]] = ()) -> None:
        self.documents = 0
        self.fields: dict[Path, Field] = {}
        self.not_kept = 0
        for document in documents:
            self.documents += 1
            for path, value in _fields((), document):
                if path not in self.fields:
                    if len(self.fields) >= MOST_FIELDS:
                        self.not_kept += 1
                        continue
                    self.fields[path] = Field(path)
                self.fields[path].add(value)

    @property
    def leaves(self) -> list[Field]:
        """The fields that are not documents, without the id."""
        return [
            field
            for path, field in self.fields.items()
            if path[0] != "_id" and set(field.families) != {"document"}
        ]

    def ancestors(self, field: Field) -> list[Field]:
        """Return the fields around a nested field, the outermost first."""
        depths = range(1, len(field.path))
        return [self.fields[field.path[:depth]] for depth in depths if field.path[:depth] in self.fields]


def type_text(kind: type) -> str:
    """Return the name of a type without its article."""
    return BSON_NAMES.get(kind, kind.__name__).removeprefix("an ").removeprefix("a ")


def short(value: Any) -> str:
    """Return a value as text for a table."""
    # A text may be megabytes long.
    text = value[: LONGEST_EXAMPLE * 2] if isinstance(value, str) else _plain(value)
    text = " ".join(text.split())
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= LONGEST_EXAMPLE else f"{text[: LONGEST_EXAMPLE - 3]}..."


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.date().isoformat() if not value.time() else value.isoformat(timespec="seconds")[:19]
    if isinstance(value, list):
        return f"{len(value)} elements"
    if isinstance(value, dict):
        return f"{len(value)} fields"
    return repr(value)[:100] if isinstance(value, bytes) else str(value)


def _key(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= 100 else value[:100] + str(hash(value))
    if isinstance(value, Decimal128 | DatetimeMS):
        return str(value)
    # NaN is not equal to itself: each one would count as a new value.
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def _fields(above: Path, document: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    for name, value in document.items():
        path = (*above, name)
        yield path, value
        if type(value) is dict:
            yield from _fields(path, value)
