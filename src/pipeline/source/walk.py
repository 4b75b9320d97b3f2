"""Reads a batch of BSON documents a field at a time: the values of one field in all documents at once.

BSON (https://bsonspec.org/spec.html), all numbers little-endian: a document is its length (int32), its
fields, and a byte 0. A field is a byte for its type, its name, a byte 0, and its value. The type gives the
size of the value; a string is a length (int32, with the final 0), UTF-8, and a byte 0. `{"a": "xy", "b": 5}`:

    17 00 00 00 | 02 "a" 00  03 00 00 00 "xy" 00 | 10 "b" 00  05 00 00 00 | 00

The documents of a projection mostly have the same fields in the same order. So the walk keeps one place per
document, reads type, name and value of the next field there, and moves each place to the end of its value.
It leaves a document out at the first byte that it does not expect: another name, a type or a value that the
column does not accept, a value beyond the end of the document. What it leaves out is judged one by one
(`documents.py`), so the walk needs no reasons, and a type that it does not know costs time only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Literal

from pipeline.config.contract import ARROW_TYPES, ColumnType
from pipeline.data.ids import integer_texts, object_id_texts, string_texts
from pipeline.source.bson_types import EXACT, HOLDERS

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

DOUBLE, STRING, OBJECT_ID, BOOLEAN, DATE, NULL, INT32, INT64 = 0x01, 0x02, 0x07, 0x08, 0x09, 0x0A, 0x10, 0x12
_SIZES = {DOUBLE: 8, STRING: 4, OBJECT_ID: 12, BOOLEAN: 1, DATE: 8, NULL: 0, INT32: 4, INT64: 8}
_TYPES: dict[str, tuple[int, ...]] = {
    "integer": (INT32, INT64, DOUBLE),
    "number": (DOUBLE, INT32, INT64),
    "boolean": (BOOLEAN,),
    "category": (STRING,),
    "string": (STRING,),
    "datetime": (DATE,),
    "id": (STRING, OBJECT_ID, INT32, INT64),
    "parent": (STRING,),
}
# The longest value of a fixed size. What is read with the name of each field.
_LONGEST = 12
_LENGTH = Struct("<i").unpack_from


@dataclass(frozen=True)
class Field:
    """A field of the projection: a column, an id, or `$type` of a nullable column's parent."""

    name: str
    kind: ColumnType | Literal["id", "parent"]
    nullable: bool = False


def documents_in(raw: bytes) -> tuple[np.ndarray, np.ndarray] | None:
    """Return where each document starts and ends, or None if their lengths do not add up to the batch."""
    starts, place, size = [], 0, len(raw)
    while place + 4 <= size:
        starts.append(place)
        length = _LENGTH(raw, place)[0]
        if length < 5:
            return None
        place += length
    if place != size:
        return None
    places = np.array([*starts, size], np.int64)
    return places[:-1], places[1:]


def walk(
    raw: bytes, starts: np.ndarray, stops: np.ndarray, fields: Sequence[Field]
) -> tuple[np.ndarray, dict[str, pa.Array]]:
    """Return which of the documents have these fields in this order and fit, and the values of each field.

    A nullable field may be missing. An id becomes its text. The values of the other documents mean nothing.
    """
    # Behind the last document too, as many bytes can be read as a field has.
    data = raw + bytes(max(len(field.name.encode()) for field in fields) + _LONGEST + 16)
    places, ends, fit = starts + 4, stops - 1, np.ones(len(starts), bool)
    values = {}
    for field in fields:
        read = _Read(data, places, field)
        values[field.name] = read.values(ends)
        fit &= read.fits & (read.next <= ends)
        places = np.where(fit, read.next, places)
    fit &= (places == ends) & (np.frombuffer(data, np.uint8)[ends] == 0)
    return fit, values


class _Read:
    """One field of all documents: whether it fits, and where the next one begins."""

    def __init__(self, data: bytes, places: np.ndarray, field: Field) -> None:
        self._data, self._places, self._field = data, places, field
        name = field.name.encode()
        self._head = len(name) + 2
        # Type, name and the value's first bytes, gathered at once, as rows of whole 8-byte words.
        self._row = -(-(self._head + _LONGEST) // 8) * 8
        rows = np.ndarray(len(data) - self._row + 1, f"V{self._row}", data, strides=(1,))[places]
        self._rows = rows.view(np.uint8)
        words = rows.view("<u8").reshape(len(places), -1)
        expected = np.frombuffer((b"\0" + name + b"\0").ljust(self._row, b"\0"), "<u8")
        matters = np.frombuffer((b"\0" + b"\xff" * (len(name) + 1)).ljust(self._row, b"\0"), "<u8")
        named = np.ones(len(places), bool)
        for place in range(-(-self._head // 8)):
            named &= (words[:, place] & matters[place]) == expected[place]
        self._types = self._rows[:: self._row]
        types = (*_TYPES[field.kind], NULL) if field.nullable else _TYPES[field.kind]
        accepted, sizes = np.zeros(256, bool), np.zeros(256, np.int64)
        accepted[list(types)] = True
        sizes[list(types)] = [_SIZES[each] for each in types]
        self.fits = named & accepted[self._types]
        self.next = places + np.where(named, self._head + sizes[self._types], 0)
        self._null = named & (self._types == NULL)
        if field.nullable:
            self.fits |= ~named
            self._null |= ~named

    def values(self, ends: np.ndarray) -> pa.Array:
        """Return the values, null where the field is null or missing; update `fits` and `next`."""
        kind = self._field.kind
        if kind == "id":
            return self._ids(ends)
        if kind in ("category", "string", "parent"):
            texts = self._texts(ends)
            if kind == "parent":
                self.fits &= pc.is_in(texts, pa.array(HOLDERS)).to_numpy(zero_copy_only=False)
            return texts
        if kind == "boolean":
            found = self._as("u1")
            valid, found = found <= 1, found == 1
        elif kind == "datetime":
            found = self._as("<i8").copy()
            valid = np.ones(len(found), bool)
        else:
            valid, found = self._numbers(kind)
        self.fits &= valid | self._null
        array = pa.array(found, mask=self._null if self._null.any() else None)
        return array.view(ARROW_TYPES[kind]) if kind == "datetime" else array

    def _as(self, kind: str) -> np.ndarray:
        return np.ndarray(len(self._places), kind, self._rows, self._head, (self._row,))

    def _numbers(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        """Return which numbers are exact, as `bson_types.inexact` decides, and the numbers."""
        double, long = self._types == DOUBLE, self._types == INT64
        doubles, longs = self._as("<f8"), self._as("<i8")
        integers = np.where(long, longs, self._as("<i4"))
        with np.errstate(invalid="ignore"):
            if kind == "number":
                found = np.where(double, doubles, integers.astype(np.float64))
                inside = (longs <= EXACT) & (longs >= -EXACT)
                return np.where(double, np.isfinite(found), ~long | inside), found
            whole = (np.floor(doubles) == doubles) & (np.abs(doubles) <= EXACT)
            return ~double | whole, np.where(double & whole, doubles.astype(np.int64), integers)

    def _texts(self, ends: np.ndarray) -> pa.Array:
        """Return the values of the type string, and nulls."""
        string = self.fits & (self._types == STRING) & ~self._null
        lengths = np.where(string, self._as("<i4"), 0).astype(np.int64)
        first = np.where(string, self._places + self._head + 4, self._places)
        last = first + lengths - 1  # the place of the final 0
        bounded = (lengths >= 1) & (last < ends)
        last = np.where(bounded, last, 0)
        string &= bounded & (np.frombuffer(self._data, np.uint8)[last] == 0)
        self.fits &= string | self._null
        self.next += np.where(string, lengths, 0)
        # Arrow copies every second text between these offsets: those between them are what lies between.
        offsets = np.empty(2 * len(first), np.int32)
        offsets[::2] = np.where(string, first, self._places)
        offsets[1::2] = np.where(string, last, self._places)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self._data)]
        between = pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)
        every = pa.array(np.arange(0, len(offsets) - 1, 2), mask=~string if not string.all() else None)
        found = between.take(every)
        try:
            return found.cast(pa.string())
        except pa.ArrowInvalid:
            utf8 = np.array([text is None or _is_utf8(text) for text in found.to_pylist()])
            self.fits &= utf8
            return pc.if_else(pa.array(utf8), found, None).cast(pa.string())

    def _ids(self, ends: np.ndarray) -> pa.Array:
        """Return the ids as text. They all have the type of the first one; another type does not fit."""
        kind = self._types[np.argmax(self.fits)]
        self.fits &= self._types == kind
        if kind == STRING:
            return string_texts(self._texts(ends))
        if kind == OBJECT_ID:
            return object_id_texts(np.ascontiguousarray(self._as("V12")).view(np.uint8).reshape(-1, 12))
        return integer_texts(self._as("<i4" if kind == INT32 else "<i8"))


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
