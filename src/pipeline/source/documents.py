"""Judges the documents of a batch one by one, with exact types, and a reason for each rejected document.

`pymongoarrow` decodes the values fast, but accepts wrong ones: it turns a boolean into 1, 2.7 into the
integer 2, and NaN into null. So the types that `bson` finds in each document are checked against the
contract; documents with the same types share one verdict, so this is cheap. A document is also rejected if
only one of the two libraries finds a value.
"""

from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from pipeline.config.contract import Column, Contract
from pipeline.config.errors import PipelineError
from pipeline.data.ids import id_text
from pipeline.source.bson_types import ACCEPTED, HOLDERS, MISSING, double_of, inexact, type_name, wrong_type
from pipeline.source.mongo import CODEC

import bson
import pyarrow as pa
import pyarrow.compute as pc
from bson import Decimal128
from bson.errors import InvalidBSON
from pymongoarrow.context import PyMongoArrowContext
from pymongoarrow.schema import Schema

ID_FIELD = "__id"


@dataclass(frozen=True)
class Judged:
    """Documents with their values (wrong ones as null), ids as text, and reasons by row (none: valid)."""

    table: pa.Table
    ids: list[str | None]
    reasons: dict[int, list[str]]
    documents: list[dict[str, Any]]


class Judge:
    """Judges documents with the fields of a projection: the columns and the `$type` of `parents`."""

    def __init__(self, contract: Contract, parents: dict[str, str]) -> None:
        self._contract, self._parents = contract, parents
        self._arrow = contract.arrow()
        self._columns = list(contract.columns.items())
        self._fields = [*contract.columns, *parents]
        self._all_fields = itemgetter(*self._fields)
        self._numeric = [
            (place, name, column.type)
            for place, (name, column) in enumerate(self._columns)
            if column.type in ("integer", "number")
        ]
        self._verdicts: dict[tuple[type | str, ...], list[str]] = {}

    def judge(self, raw: bytes) -> Judged:
        """Return the documents of a batch, judged. An id that cannot identify its document is None."""
        if not raw:  # pymongoarrow's table of no documents crashes Arrow
            empty = pa.Table.from_batches([], pa.schema([*self._arrow][1:]))
            return Judged(empty, [], {}, [])
        documents, not_utf8 = _documents(raw)
        table = self._with_decimals(self._values(raw), documents)
        lost = self._lost(table, documents, not_utf8)
        id_field = "_id" if self._contract.id == "_id" else ID_FIELD
        ids: list[str | None] = []
        reasons: dict[int, list[str]] = {}
        for row, document in enumerate(documents):
            identity = document.get(id_field, MISSING)
            problem = self._no_identity(identity)
            ids.append(None if problem else id_text(identity))
            if found := problem + self._judge(document) + lost.get(row, []):
                reasons[row] = found
        return Judged(table, ids, reasons, documents)

    def _values(self, raw: bytes) -> pa.Table:
        types = {name: self._arrow.field(name).type for name, _ in self._columns}
        # Values that it turns into null are rejected by the check of their type.
        context = PyMongoArrowContext(Schema(types), allow_invalid=True)
        context.process_bson_stream(raw)
        return context.finish()

    def _with_decimals(self, table: pa.Table, documents: list[dict[str, Any]]) -> pa.Table:
        # `pymongoarrow` reads a decimal in a column of doubles as null.
        for place, (name, column) in enumerate(self._columns):
            if column.type == "number" and table[name].null_count:
                values = (document.get(name) for document in documents)
                decimals = [double_of(value) if type(value) is Decimal128 else None for value in values]
                filled = pc.coalesce(table[name], pa.array(decimals, pa.float64()))
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

    def _no_identity(self, identity: Any) -> list[str]:
        name = self._contract.id
        if identity is MISSING or (identity is None and name != "_id") or isinstance(identity, list):
            return [f"{name}: is {type_name(identity)}, so the document has no identity"]
        return []

    def _judge(self, document: dict[str, Any]) -> list[str]:
        try:
            values = self._all_fields(document)
        except KeyError:
            values = tuple(document.get(field, MISSING) for field in self._fields)
        columns = len(self._columns)
        shape: tuple[type | str, ...] = (*map(type, values[:columns]), *map(str, values[columns:]))
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
        kinds = dict(zip(self._parents.values(), shape[len(self._columns) :], strict=True))
        reasons = []
        for (name, column), kind in zip(self._columns, shape, strict=False):
            if reason := wrong_type(name, column, kind):
                reasons.append(reason)
            elif column.nullable:
                wrong = [path for path in parents_of(column) if kinds[path] not in HOLDERS]
                reasons += [f"{name}: {path} is of type {kinds[path]}, not a document" for path in wrong[:1]]
        return reasons


# For text that is not UTF-8: CODEC escapes it, the first of these refuses it, the second drops it.
_STRICT_CODEC = CODEC.with_options(unicode_decode_error_handler="strict")
_IGNORING_CODEC = CODEC.with_options(unicode_decode_error_handler="ignore")


def parents_of(column: Column) -> list[str]:
    """Return the paths of the documents that hold a column."""
    names = column.path.split(".")
    return [".".join(names[:depth]) for depth in range(1, len(names))]


def _documents(raw: bytes) -> tuple[list[dict[str, Any]], dict[int, set[str]]]:
    """Return the documents of a batch, and by row the fields with text that is not UTF-8."""
    try:
        return bson.decode_all(raw, _STRICT_CODEC), {}
    except InvalidBSON:
        pass
    try:
        documents = bson.decode_all(raw, CODEC)
    except InvalidBSON as error:
        raise PipelineError(
            f"MongoDB sent a document that is not BSON ({error}); nothing was changed"
        ) from None
    broken = {}
    for row, (escaped, cut) in enumerate(zip(documents, bson.decode_all(raw, _IGNORING_CODEC), strict=True)):
        wrong = {name for name in escaped if name not in cut or id_text(escaped[name]) != id_text(cut[name])}
        if wrong:
            broken[row] = wrong
    return documents, broken
