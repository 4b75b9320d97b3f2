"""Reads a batch of BSON documents a field at a time: the values of one field in all documents at once.

BSON (https://bsonspec.org/spec.html), all numbers little-endian: a document is its length (int32), its
fields, and a byte 0. A field is a byte for its type, its name, a byte 0, and its value. The type gives the
size of the value; a string is a length (int32, with the final 0), UTF-8, and a byte 0. `{"a": "xy", "b": 5}`:

    17 00 00 00 | 02 "a" 00  03 00 00 00 "xy" 00 | 10 "b" 00  05 00 00 00 | 00

The documents of a projection mostly have the same fields in the same order. So the walk keeps one place per
document, reads type, name and value of the next field there, and moves each place to the end of its value.
It leaves a document out at the first byte that it does not expect: another name, a type or a value that the
column does not accept, a value beyond the end of the document. What it leaves out is judged one by one
(`documents.py`). So the walk needs no reasons, and a type that it does not read costs time only.

Most documents even have the same types. Then all fields up to the next string or nullable field lie equally
far from the place, and are compared and read at once. A walk with the `layout` of one document does this.
"""

from collections.abc import Sequence
from struct import Struct

from pipeline.source.cells import NULL, READ, SIZES, STRING, Cells, Field, Places, same_bytes

import numpy as np
import pyarrow as pa

_LENGTH = Struct("<i").unpack_from


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
    """Return the types of the fields of one document, None for a nullable field; None if it does not fit."""
    place, layout = start + 4, list[int | None]()
    for field in fields:
        name = field.name.encode() + b"\0"
        if raw.startswith(name, place + 1) and raw[place] in field.types:
            kind = raw[place]
            layout.append(None if field.nullable else kind)
            place += 1 + len(name) + SIZES[kind]
            if kind == STRING and place < stop:
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
    """Return which documents have these fields in this order and fit, and the values of each field.

    A nullable field may be missing. An id becomes its text. The values of other documents are arbitrary.
    With a layout, only documents with exactly these types fit, where they are not None.
    """
    runs: list[list[tuple[Field, int | None]]] = [[]]
    for field, kind in zip(fields, layout or [None] * len(fields), strict=True):
        if kind is None and runs[-1]:
            runs.append([])
        runs[-1].append((field, kind))
        if kind in (None, STRING):
            runs.append([])
    # Padding, since a run of fields is read as a whole, also behind the end of the last document.
    longest = max(sum(len(field.name.encode()) + 2 + READ for field, _ in run) for run in runs)
    batch = Places(raw + bytes(longest + 8), starts + 4, stops - 1, np.ones(len(starts), bool))
    values: dict[str, pa.Array] = {}
    for run in runs:
        if run:
            values |= _read(batch, run)
    batch.fit &= (batch.places == batch.ends) & (np.frombuffer(batch.data, np.uint8)[batch.ends] == 0)
    return batch.fit, values


def _read(batch: Places, run: list[tuple[Field, int | None]]) -> dict[str, pa.Array]:
    """Return the values of fields that follow each other: one of any type, or several of known types."""
    expected, matters, offsets = b"", b"", []
    for field, kind in run:
        name = field.name.encode() + b"\0"
        size = 0 if kind is None else SIZES[kind]
        expected += bytes([kind or 0]) + name + bytes(size)
        matters += (b"\xff" if kind else b"\0") + b"\xff" * len(name) + bytes(size)
        offsets.append(len(expected) - size)
    # The bytes at each place, gathered at once, as rows of 8-byte words.
    width = -(-(len(expected) + READ) // 8) * 8
    rows = np.ndarray(len(batch.data) - width + 1, f"V{width}", batch.data, strides=(1,))[batch.places]
    named = same_bytes(rows, expected, matters)
    after = batch.places + len(expected)
    values = {}
    for (field, kind), offset in zip(run, offsets, strict=True):
        if kind is None:
            types = rows.view(np.uint8)[::width]
            accepted, sizes = np.zeros(256, bool), np.zeros(256, np.int64)
            accepted[list(field.types)] = True
            sizes[list(field.types)] = [SIZES[each] for each in field.types]
            fits = (named & accepted[types]) | (~named & field.nullable)
            after = np.where(named, after + sizes[types], batch.places)
            null = field.nullable & (~named | (types == NULL))
        else:
            types, fits, null = np.uint8(kind), named, np.zeros(len(named), bool)
        cells = Cells(batch, field, types, rows, offset, fits, null)
        values[field.name] = cells.values()
        batch.fit &= cells.fits
        after = after + cells.longer
    batch.fit &= after <= batch.ends
    batch.places = np.where(batch.fit, after, batch.places)
    return values
