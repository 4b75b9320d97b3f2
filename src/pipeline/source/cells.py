"""The values of one field in all documents of a batch, at the places that the walk (`walk.py`) has found."""

from dataclasses import dataclass
from struct import pack
from typing import Literal

from pipeline.config.contract import ARROW_TYPES, ColumnType
from pipeline.data.ids import integer_texts, object_id_texts, string_texts
from pipeline.source.bson_types import EXACT, HOLDERS

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

DOUBLE, STRING, OBJECT_ID, BOOLEAN, DATE, NULL, INT32, INT64 = 0x01, 0x02, 0x07, 0x08, 0x09, 0x0A, 0x10, 0x12
SIZES = {DOUBLE: 8, STRING: 4, OBJECT_ID: 12, BOOLEAN: 1, DATE: 8, NULL: 0, INT32: 4, INT64: 8}
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
# The bytes of a value that are read with the name: an ObjectId, or a word of `HOLDERS` with its length.
READ = 4 + max(map(len, HOLDERS)) + 1


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


@dataclass
class Places:
    """The documents of a batch: which fit so far, the current place in each, and the place of its final 0."""

    data: bytes
    places: np.ndarray
    ends: np.ndarray
    fit: np.ndarray


@dataclass
class Cells:
    """The values of a field in all documents, which lie at an offset of the rows, and those that fit."""

    batch: Places
    field: Field
    types: np.ndarray
    rows: np.ndarray
    offset: int
    fits: np.ndarray
    null: np.ndarray
    # The bytes of each value beyond the size of its type: those of a string.
    longer: np.ndarray | int = 0

    def values(self) -> pa.Array:
        """Return the values, null where the field is null or missing; update `fits` and `longer`."""
        kind = self.field.kind
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
        self.fits = self.fits & (valid | self.null)
        array = pa.array(found, mask=self.null if self.null.any() else None)
        return array.view(ARROW_TYPES["datetime"]) if kind == "datetime" else array

    def _as(self, kind: str) -> np.ndarray:
        return np.ndarray(len(self.rows), kind, self.rows.view(np.uint8), self.offset, self.rows.strides)

    def _numbers(self) -> tuple[np.ndarray, np.ndarray]:
        """Return which numbers are exact, as `bson_types.inexact` decides, and the numbers."""
        double, long = self.types == DOUBLE, self.types == INT64
        doubles, longs = self._as("<f8"), self._as("<i8")
        integers = np.where(long, longs, self._as("<i4"))
        with np.errstate(invalid="ignore"):
            if self.field.kind == "number":
                found = np.where(double, doubles, integers.astype(np.float64))
                inside = (longs <= EXACT) & (longs >= -EXACT)
                return np.where(double, np.isfinite(found), ~long | inside), found
            whole = (np.floor(doubles) == doubles) & (np.abs(doubles) <= EXACT)
            return ~double | whole, np.where(double & whole, doubles.astype(np.int64), integers)

    def _texts(self) -> pa.Array:
        """Return the values of the type string, and nulls."""
        batch = self.batch
        string = batch.fit & self.fits & (self.types == STRING) & ~self.null
        lengths = np.where(string, self._as("<i4"), 0).astype(np.int64)
        first = np.where(string, batch.places + self.offset + 4, batch.places)
        last = first + lengths - 1  # the place of the final 0
        bounded = (lengths >= 1) & (last < batch.ends)
        last = np.where(bounded, last, 0)
        string &= bounded & (np.frombuffer(batch.data, np.uint8)[last] == 0)
        self.fits = self.fits & (string | self.null)
        self.longer = np.where(string, lengths, 0)
        # Arrow copies every second interval of these offsets: the texts, without the bytes between them.
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
        """Return nulls, since only the check needs the values: they fit if they are among `HOLDERS`."""
        found = np.zeros(len(self.rows), bool)
        for holder in HOLDERS:
            text = pack("<i", len(holder) + 1) + holder.encode() + b"\0"
            same = same_bytes(self.rows, bytes(self.offset) + text, bytes(self.offset) + b"\xff" * len(text))
            self.longer = self.longer + np.where(same, len(holder) + 1, 0)
            found |= same
            if found.all():
                break
        self.fits = self.fits & found
        return pa.nulls(len(found))

    def _ids(self) -> pa.Array:
        """Return the ids as text. Only documents whose id has the commonest type fit."""
        types = np.broadcast_to(self.types, len(self.rows))
        kind = np.bincount(types[self.fits], minlength=1).argmax()
        self.fits = self.fits & (types == kind)
        if kind == STRING:
            return string_texts(self._texts())
        if kind == OBJECT_ID:
            return object_id_texts(np.ascontiguousarray(self._as("V12")).view(np.uint8).reshape(-1, 12))
        return integer_texts(self._as("<i4" if kind == INT32 else "<i8"))


def same_bytes(rows: np.ndarray, expected: bytes, matters: bytes) -> np.ndarray:
    """Return which rows begin with the `expected` bytes, compared where `matters` has the byte 255."""
    width = rows.itemsize
    words = rows.view("<u8").reshape(len(rows), -1)
    wanted, masks = (np.frombuffer(each.ljust(width, b"\0"), "<u8") for each in (expected, matters))
    different = np.zeros(len(rows), np.uint64)
    for place in np.flatnonzero(masks):
        different |= (words[:, place] ^ wanted[place]) & masks[place]
    same: np.ndarray = different == 0
    return same


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
