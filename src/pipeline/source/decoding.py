"""Decodes a raw BSON batch to an Arrow table with exact types, and a reason for each rejected document.

`pymongoarrow` decodes the values fast, but accepts wrong ones: it turns a boolean into 1, 2.7 into the
integer 2, and NaN into null. So the types that `bson` finds in each document are checked against the
contract; documents with the same types share one verdict, so this is cheap. A document is also rejected if
only one of the two libraries finds a value.
"""

from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from pipeline.config.contract import Column, Contract
from pipeline.data.artifacts import shortened
from pipeline.data.ids import id_text
from pipeline.source.bson_types import ACCEPTED, MISSING, double_of, inexact, type_name, wrong_type
from pipeline.source.mongo import CODEC

import bson
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bson import Decimal128
from bson.errors import InvalidBSON
from pymongoarrow.context import PyMongoArrowContext
from pymongoarrow.schema import Schema


@dataclass(frozen=True)
class Rejection:
    """A rejected document: its row in the batch, its `_id` or `MISSING`, and the reasons, by column."""

    row: int
    id: Any
    reasons: list[str]


@dataclass(frozen=True)
class Batch:
    """A decoded batch: the accepted rows, their ids as in MongoDB, the rejections, the documents as read."""

    table: pa.Table
    ids: list[Any]
    rejections: list[Rejection]
    documents: list[dict[str, Any]]


class Decoder:
    """Decodes the batches of one read. It keeps the last id, to find duplicates across batches."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._arrow = contract.arrow()
        self._columns = list(contract.columns.items())
        # Extra fields for the types of the nullable columns' parents. No column can have such a name.
        parents = {
            path for column in contract.columns.values() if column.nullable for path in _parents(column)
        }
        self.parents = {f"__parent_{place}": path for place, path in enumerate(sorted(parents))}
        self._fields = [*contract.columns, *self.parents]
        self._all_fields = itemgetter(*self._fields)
        self._numeric = [
            (place, name, column.type)
            for place, (name, column) in enumerate(self._columns)
            if column.type in ("integer", "number")
        ]
        self._verdicts: dict[tuple[type | str, ...], list[str]] = {}
        self._last_id: str | None = None

    def projection(self) -> dict[str, Any]:
        """Return the server-side projection: each declared path as a flat field named like its column.

        It includes the types of the nullable columns' parents: if a parent is not a document, the column is
        wrong, not null.
        """
        fields: dict[str, Any] = {name: f"${column.path}" for name, column in self._columns}
        fields |= {field: {"$type": f"${path}"} for field, path in self.parents.items()}
        return fields if self._contract.id == "_id" else fields | {ID_FIELD: f"${self._contract.id}"}

    def decode(self, raw: bytes) -> Batch:
        """Decode one batch of documents with the fields of `projection`, in the order of their ids.

        Returns a `Batch` whose table has the schema `contract.arrow()`.
        """
        documents, not_utf8 = _documents(raw)
        table = self._with_decimals(self._values(raw), documents)
        lost = self._lost(table, documents, not_utf8)
        id_field = "_id" if self._contract.id == "_id" else ID_FIELD
        ids, texts, kept, rejections = [], [], [], []
        for row, document in enumerate(documents):
            identity = document.get(id_field, MISSING)
            reasons = self._judge_id(identity) + self._judge(document) + lost.get(row, [])
            if reasons:
                rejections.append(Rejection(row, document.get("_id", MISSING), reasons))
            else:
                kept.append(row)
                ids.append(identity)
                texts.append(self._last_id)
        if rejections:
            table = table.take(pa.array(kept, pa.int64()))
        table = pa.Table.from_arrays([pa.array(texts, pa.string()), *table.columns], schema=self._arrow)
        return Batch(table, ids, rejections, documents)

    def _values(self, raw: bytes) -> pa.Table:
        types = {name: self._arrow.field(name).type for name, _ in self._columns}
        # Values that it turns into null are rejected by the check of their type.
        context = PyMongoArrowContext(Schema(types), allow_invalid=True)
        context.process_bson_stream(raw)
        return context.finish()

    def _with_decimals(self, table: pa.Table, documents: list[dict[str, Any]]) -> pa.Table:
        # `pymongoarrow` reads a decimal in a column of doubles as null.
        for place, (name, column) in enumerate(self._columns):
            if column.type != "number" or not table[name].null_count:
                continue
            nulls = pc.indices_nonzero(pc.is_null(table[name])).to_pylist()
            doubles = {
                row: double_of(value)
                for row in nulls
                if type(value := documents[row].get(name)) is Decimal128
            }
            if doubles:
                mask = np.zeros(len(documents), dtype=bool)
                mask[list(doubles)] = True
                filled = pc.replace_with_mask(table[name], mask, pa.array(doubles.values(), pa.float64()))
                table = table.set_column(place, self._arrow.field(name), filled)
        return table

    def _lost(
        self, table: pa.Table, documents: list[dict[str, Any]], not_utf8: dict[int, set[str]]
    ) -> dict[int, list[str]]:
        # Reasons other than a wrong type.
        lost: dict[int, list[str]] = {}
        for row, fields in not_utf8.items():
            names = (self._contract.id if field == ID_FIELD else field for field in sorted(fields))
            lost[row] = [f"{name}: holds text that is not UTF-8" for name in names]
        for name, column in self._columns:
            for row in pc.indices_nonzero(pc.is_null(table[name])).to_pylist():
                # `bson` reads a symbol as a string, `pymongoarrow` as null.
                value = documents[row].get(name)
                if type(value) in ACCEPTED[column.type] and not inexact(column.type, value):
                    lost.setdefault(row, []).append(f"{name}: holds no plain value ({column.path})")
        return lost

    def _judge_id(self, identity: Any) -> list[str]:
        name = self._contract.id
        if identity is MISSING or (identity is None and name != "_id") or isinstance(identity, list):
            return [f"{name}: is {type_name(identity)}, so the document has no identity"]
        text = id_text(identity)
        if text == self._last_id:
            return [f"{name}: {shortened(text)} is the id of another document already: duplicate"]
        self._last_id = text
        return []

    def _judge(self, document: dict[str, Any]) -> list[str]:
        try:
            values = self._all_fields(document)
        except KeyError:
            values = tuple(document.get(field, MISSING) for field in self._fields)
        columns = len(self._columns)
        shape = (*map(type, values[:columns]), *values[columns:])
        verdict = self._verdicts.get(shape)
        if verdict is None:
            verdict = self._verdicts[shape] = self._verdict(shape)
        problems = [
            f"{name}: {problem}"
            for place, name, kind in self._numeric
            if (problem := inexact(kind, values[place]))
        ]
        return verdict + problems

    def _verdict(self, shape: tuple[Any, ...]) -> list[str]:
        kinds = dict(zip(self.parents.values(), shape[len(self._columns) :], strict=True))
        reasons = []
        for (name, column), kind in zip(self._columns, shape, strict=False):
            if reason := wrong_type(name, column, kind):
                reasons.append(reason)
            elif column.nullable:
                wrong = [path for path in _parents(column) if kinds[path] not in _HOLDERS]
                reasons += [f"{name}: {path} is of type {kinds[path]}, not a document" for path in wrong[:1]]
        return reasons


ID_FIELD = "__id"
# CODEC escapes text that is not UTF-8, the first of these refuses it, the second drops it.
_STRICT_CODEC = CODEC.with_options(unicode_decode_error_handler="strict")
_IGNORING_CODEC = CODEC.with_options(unicode_decode_error_handler="ignore")
# The values of `$type` for the parent of a nullable column that is null.
_HOLDERS = {"object", "missing", "null", "undefined"}


def _parents(column: Column) -> list[str]:
    names = column.path.split(".")
    return [".".join(names[:depth]) for depth in range(1, len(names))]


def _documents(raw: bytes) -> tuple[list[dict[str, Any]], dict[int, set[str]]]:
    """Return the documents of a batch, and by row the fields with text that is not UTF-8."""
    try:
        return bson.decode_all(raw, _STRICT_CODEC), {}
    except InvalidBSON:
        documents = bson.decode_all(raw, CODEC)
    broken = {}
    for row, (escaped, cut) in enumerate(zip(documents, bson.decode_all(raw, _IGNORING_CODEC), strict=True)):
        if fields := {name for name in escaped if id_text(escaped[name]) != id_text(cut[name])}:
            broken[row] = fields
    return documents, broken
