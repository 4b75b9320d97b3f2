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

Most documents even have the same types. Then all fields up to the next string lie equally far from the place,
and are compared and read at once; a walk with `layout`, the types of one document, is three times as fast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct, pack
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
# How much of a value is read with the name of its field: an ObjectId, or a word of `HOLDERS` and its length.
_READ = 4 + max(map(len, HOLDERS)) + 1
_LENGTH = Struct("<i").unpack_from


@dataclass(frozen=True)
class Field:
    """A field of the projection: a column, an id, or `$type` of a nullable column's parent."""

    name: str
    kind: ColumnType | Literal["id", "parent"]
    nullable: bool = False

    @property
    def types(self) -> tuple[int, ...]:
        """The BSON types that fit."""
        return (*_TYPES[self.kind], NULL) if self.nullable else _TYPES[self.kind]

    @property
    def arrow(self) -> pa.DataType:
        """The type of the values."""
        return ARROW_TYPES.get(self.kind, pa.string())


def documents_in(raw: bytes) -> tuple[np.ndarray, np.ndarray] | None:
    """Return where each document starts and ends, or None if their lengths do not add up to the batch."""
    starts, place, size, length_at = [], 0, len(raw), _LENGTH
    while place + 4 <= size:
        starts.append(place)
        (length,) = length_at(raw, place)
        if length < 5:
            return None
        place += length
    if place != size:
        return None
    places = np.array([*starts, size], np.int64)
    return places[:-1], places[1:]


def layout_of(raw: bytes, start: int, stop: int, fields: Sequence[Field]) -> list[int | None] | None:
    """Return the types of the fields of one document, None for a missing field; None if it does not fit."""
    place, layout = start + 4, list[int | None]()
    for field in fields:
        name = field.name.encode() + b"\0"
        if raw.startswith(name, place + 1) and raw[place] in field.types:
            layout.append(raw[place])
            place += 1 + len(name) + _SIZES[raw[place]]
            if layout[-1] == STRING and place < stop:
                place += max(_LENGTH(raw, place - 4)[0], 0)
        elif field.nullable:
            layout.append(None)
        else:
            return None
    return layout if place == stop - 1 else None


def walk(
    raw: bytes,
    starts: np.ndarray,
    stops: np.ndarray,
    fields: Sequence[Field],
    layout: Sequence[int | None] | None = None,
) -> tuple[np.ndarray, dict[str, pa.Array]]:
    """Return which of the documents have these fields in this order and fit, and the values of each field.

    A nullable field may be missing. An id becomes its text. The values of the other documents mean nothing.
    With a layout, only documents with exactly these types fit.
    """
    runs: list[list[tuple[Field, int | None]]] = [[]]
    values: dict[str, pa.Array] = {}
    for field, kind in zip(fields, layout or [None] * len(fields), strict=True):
        if layout and kind is None:
            values[field.name] = pa.nulls(len(starts), field.arrow)
            continue
        runs[-1].append((field, kind))
        if kind in (None, STRING):
            runs.append([])
    # Behind the last document too, as many bytes can be read as a run has.
    longest = max(sum(len(field.name.encode()) + 2 + _READ for field, _ in run) for run in runs)
    batch = _Batch(raw + bytes(longest + 8), starts + 4, stops - 1)
    for run in runs:
        if run:
            values |= batch.read(run)
    batch.fit &= (batch.places == batch.ends) & (batch.bytes[batch.ends] == 0)
    return batch.fit, values


class _Batch:
    """The documents: which fit so far, the place in each, and the place of its final 0."""

    def __init__(self, data: bytes, places: np.ndarray, ends: np.ndarray) -> None:
        self.data, self.places, self.ends = data, places, ends
        self.bytes = np.frombuffer(data, np.uint8)
        self.fit = np.ones(len(places), bool)

    def read(self, run: list[tuple[Field, int | None]]) -> dict[str, pa.Array]:
        """Return the values of fields that follow each other: one of any type, or several of known types."""
        expected, matters, offsets = b"", b"", []
        for field, kind in run:
            name = field.name.encode() + b"\0"
            size = 0 if kind is None else _SIZES[kind]
            expected += bytes([kind or 0]) + name + bytes(size)
            matters += (b"\xff" if kind else b"\0") + b"\xff" * len(name) + bytes(size)
            offsets.append(len(expected) - size)
        # Gathered at once, as rows of whole 8-byte words.
        width = -(-(len(expected) + _READ) // 8) * 8
        rows = np.ndarray(len(self.data) - width + 1, f"V{width}", self.data, strides=(1,))[self.places]
        named = _same(rows, expected, matters)
        after = self.places + len(expected)
        values = {}
        for (field, kind), offset in zip(run, offsets, strict=True):
            if kind is None:
                types = rows.view(np.uint8)[::width]
                accepted, sizes = np.zeros(256, bool), np.zeros(256, np.int64)
                accepted[list(field.types)] = True
                sizes[list(field.types)] = [_SIZES[each] for each in field.types]
                fits = (named & accepted[types]) | (~named & field.nullable)
                after = np.where(named, after + sizes[types], self.places)
                null = ~named | (types == NULL)
            else:
                types, fits, null = np.uint8(kind), named, np.full(len(named), kind == NULL)
            cells = _Cells(self, field, types, rows, offset, fits, null if field.nullable else None)
            values[field.name] = cells.values()
            self.fit &= cells.fits
            after = after + cells.longer
        self.fit &= after <= self.ends
        self.places = np.where(self.fit, after, self.places)
        return values


class _Cells:
    """The values of a field in all documents, which lie at an offset of the rows, and those that fit."""

    def __init__(
        self,
        batch: _Batch,
        field: Field,
        types: np.ndarray,
        rows: np.ndarray,
        offset: int,
        fits: np.ndarray,
        null: np.ndarray | None,
    ) -> None:
        self._batch, self._field, self._types, self._rows, self._offset = batch, field, types, rows, offset
        self._null = np.zeros(len(fits), bool) if null is None else null
        self.fits = fits
        # How much longer than its type says a value is.
        self.longer: np.ndarray | int = 0

    def values(self) -> pa.Array:
        """Return the values, null where the field is null or missing; update `fits` and `longer`."""
        kind = self._field.kind
        if kind == "id":
            return self._ids()
        if kind == "parent":
            return self._parents()
        if kind in ("category", "string"):
            return self._texts()
        if kind == "boolean":
            found = self._as("u1")
            valid, found = found <= 1, found == 1
        elif kind == "datetime":
            found = self._as("<i8").copy()
            valid = np.ones(len(found), bool)
        else:
            valid, found = self._numbers()
        self.fits = self.fits & (valid | self._null)
        array = pa.array(found, mask=self._null if self._null.any() else None)
        return array.view(self._field.arrow) if kind == "datetime" else array

    def _as(self, kind: str) -> np.ndarray:
        return np.ndarray(len(self._rows), kind, self._rows.view(np.uint8), self._offset, self._rows.strides)

    def _numbers(self) -> tuple[np.ndarray, np.ndarray]:
        """Return which numbers are exact, as `bson_types.inexact` decides, and the numbers."""
        double, long = self._types == DOUBLE, self._types == INT64
        doubles, longs = self._as("<f8"), self._as("<i8")
        integers = np.where(long, longs, self._as("<i4"))
        with np.errstate(invalid="ignore"):
            if self._field.kind == "number":
                found = np.where(double, doubles, integers.astype(np.float64))
                inside = (longs <= EXACT) & (longs >= -EXACT)
                return np.where(double, np.isfinite(found), ~long | inside), found
            whole = (np.floor(doubles) == doubles) & (np.abs(doubles) <= EXACT)
            return ~double | whole, np.where(double & whole, doubles.astype(np.int64), integers)

    def _texts(self) -> pa.Array:
        """Return the values of the type string, and nulls."""
        batch = self._batch
        string = batch.fit & self.fits & (self._types == STRING) & ~self._null
        lengths = np.where(string, self._as("<i4"), 0).astype(np.int64)
        first = np.where(string, batch.places + self._offset + 4, batch.places)
        last = first + lengths - 1  # the place of the final 0
        bounded = (lengths >= 1) & (last < batch.ends)
        last = np.where(bounded, last, 0)
        string &= bounded & (batch.bytes[last] == 0)
        self.fits = self.fits & (string | self._null)
        self.longer = np.where(string, lengths, 0)
        # Arrow copies every second text between these offsets: those between them are what lies between.
        offsets = np.empty(2 * len(first), np.int32)
        offsets[::2] = np.where(string, first, batch.places)
        offsets[1::2] = np.where(string, last, batch.places)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(batch.data)]
        between = pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)
        every = pa.array(np.arange(0, len(offsets) - 1, 2), mask=~string if not string.all() else None)
        found = between.take(every)
        try:
            return found.cast(pa.string())
        except pa.ArrowInvalid:
            utf8 = np.array([text is None or _is_utf8(text) for text in found.to_pylist()])
            self.fits &= utf8
            return pc.if_else(pa.array(utf8), found, None).cast(pa.string())

    def _parents(self) -> pa.Array:
        """Check that the values are among `HOLDERS`; return nulls, since the check is all they are for."""
        found = np.zeros(len(self._rows), bool)
        for holder in HOLDERS:
            text = pack("<i", len(holder) + 1) + holder.encode() + b"\0"
            same = _same(self._rows, bytes(self._offset) + text, bytes(self._offset) + b"\xff" * len(text))
            self.longer = self.longer + np.where(same, len(holder) + 1, 0)
            found |= same
            if found.all():
                break
        self.fits = self.fits & found
        return pa.nulls(len(found))

    def _ids(self) -> pa.Array:
        """Return the ids as text. They all have the type of the first one; another type does not fit."""
        types = np.broadcast_to(self._types, len(self._rows))
        kind = types[np.argmax(self.fits)]
        self.fits = self.fits & (types == kind)
        if kind == STRING:
            return string_texts(self._texts())
        if kind == OBJECT_ID:
            return object_id_texts(np.ascontiguousarray(self._as("V12")).view(np.uint8).reshape(-1, 12))
        return integer_texts(self._as("<i4" if kind == INT32 else "<i8"))


def _same(rows: np.ndarray, expected: bytes, matters: bytes) -> np.ndarray:
    """Return which rows begin with these bytes, of which those with a byte 255 in `matters` matter."""
    width = rows.itemsize
    words = rows.view("<u8").reshape(len(rows), -1)
    wanted, masks = (np.frombuffer(each.ljust(width, b"\0"), "<u8") for each in (expected, matters))
    different = np.zeros(len(rows), np.uint64)
    for place in np.flatnonzero(masks):
        different |= (words[:, place] ^ wanted[place]) & masks[place]
    return different == 0


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
