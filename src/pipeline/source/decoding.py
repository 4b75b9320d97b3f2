"""Decodes a raw BSON batch to an Arrow table with exact types, and a reason for each rejected document.

The walk (`walk.py`) reads most documents, field by field. The others are judged one by one (`documents.py`).
Both accept the same documents with the same values, which a property test checks. Only the judgement has
reasons.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pipeline.config.contract import Contract
from pipeline.data.artifacts import shortened
from pipeline.source.cells import Field
from pipeline.source.documents import ID_FIELD, Judge, Judged, parents_of
from pipeline.source.mongo import CODEC
from pipeline.source.walk import documents_in, layout_of, walk

import bson
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# How many orders of the fields the walk tries.
_MOST_ORDERS = 4


@dataclass(frozen=True)
class Rejection:
    """A rejected document, with its row in the batch, and the reasons, by column."""

    row: int
    document: dict[str, Any]
    reasons: list[str]


@dataclass(frozen=True)
class Batch:
    """The accepted rows of a decoded batch, and the rejections: together all its documents."""

    table: pa.Table
    rejections: list[Rejection]


class Decoder:
    """Decodes the batches of one read. It keeps the last id, to find duplicates across batches."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._arrow = contract.arrow()
        # Extra fields for the types of the nullable columns' parents. No column can have such a name.
        parents = {
            path for column in contract.columns.values() if column.nullable for path in parents_of(column)
        }
        self.parents = {f"__parent_{place}": path for place, path in enumerate(sorted(parents))}
        self._judge = Judge(contract, self.parents)
        self._id_field = "_id" if contract.id == "_id" else ID_FIELD
        fields = [Field("_id", "id")]
        fields += [Field(name, column.type, column.nullable) for name, column in contract.columns.items()]
        fields += [Field(name, "parent") for name in self.parents]
        fields += [Field(ID_FIELD, "id")] if contract.id != "_id" else []
        self._fields = {field.name: field for field in fields}
        # The server returns the fields in the order of the projection, but nothing guarantees that.
        self._orders = [[*self._fields.values()]]
        self._last_id: str | None = None

    def projection(self) -> dict[str, Any]:
        """Return the server-side projection: each declared path as a flat field named like its column.

        It includes the types of the nullable columns' parents: if a parent is not a document, the column is
        wrong, not null.
        """
        fields: dict[str, Any] = {name: f"${column.path}" for name, column in self._contract.columns.items()}
        fields |= {field: {"$type": f"${path}"} for field, path in self.parents.items()}
        return fields if self._contract.id == "_id" else fields | {ID_FIELD: f"${self._contract.id}"}

    def decode(self, raw: bytes) -> Batch:
        """Return a batch of documents decoded: its table has the schema `contract.arrow()`.

        The documents have the fields of `projection`, and are in the order of their ids.

        Raises:
            PipelineError: a document is not BSON.
        """
        bounds = documents_in(raw)
        if bounds is None:
            self._judge.judge(raw)
            raise AssertionError("BSON documents whose lengths are not those of the batch")
        starts, stops = bounds
        rest = np.arange(len(starts))
        # The tables of the walks and of the judgement, and for each document its row in all of them.
        tables, size = [], 0
        rows = np.empty(len(starts), np.int64)
        for fields in self._orders:
            # First the documents with the types of a typical one, then those with any types.
            typical = _typical(raw, starts[rest], stops[rest], fields)
            for layout in (typical, None) if typical else (None,):
                if len(rest):
                    fit, values = walk(raw, starts[rest], stops[rest], fields, layout)
                    rows[rest[fit]] = size + np.flatnonzero(fit)
                    columns = [values[name] for name in self._contract.columns]
                    tables.append(self._table(values[self._id_field], columns))
                    size += len(fit)
                    rest = rest[~fit]
        judged = self._judge.judge(b"".join([raw[starts[row] : stops[row]] for row in rest]))
        rows[rest] = size + np.arange(len(rest))
        tables.append(self._table(pa.array(judged.ids, pa.string()), judged.table.columns))
        self._learn_order(judged)
        table = pa.concat_tables([table for table in tables if len(table)] or tables)
        if len(table) > len(rows):
            table = table.combine_chunks().take(rows)

        reasons = {int(rest[place]): found for place, found in judged.reasons.items()}
        for row, text in self._repeated(table.column(0)):
            problem = (
                f"{self._contract.id}: {shortened(text)} is the id of another document already: duplicate"
            )
            reasons[row] = [problem, *reasons.get(row, [])]
        documents = dict(zip(rest.tolist(), judged.documents, strict=True))
        rejections = []
        for row in sorted(reasons):
            document = documents.get(row) or bson.decode(raw[starts[row] : stops[row]], CODEC)
            rejections.append(Rejection(row, document, reasons[row]))
        if rejections:
            accepted = np.ones(len(starts), bool)
            accepted[list(reasons)] = False
            table = table.filter(pa.array(accepted))
        return Batch(table.cast(self._arrow), rejections)

    def _table(self, texts: pa.Array, columns: list[pa.Array]) -> pa.Table:
        """Return a table in which, unlike in that of a batch, the id may be null."""
        return pa.Table.from_arrays([texts, *columns], names=self._arrow.names)

    def _learn_order(self, judged: Judged) -> None:
        """Add the commonest order of fields among the valid judged documents, for the next batches."""
        valid = (doc for row, doc in enumerate(judged.documents) if row not in judged.reasons)
        orders = Counter(map(tuple, valid)).most_common(1)
        if not orders or len(self._orders) == _MOST_ORDERS:
            return
        order = list(orders[0][0])
        before = None
        for name in self._fields:
            if name not in order:  # it is missing in these documents
                order.insert(order.index(before) + 1 if before else 0, name)
            before = name
        if set(order) == set(self._fields):
            fields = [self._fields[name] for name in order]
            self._orders += [fields] if fields not in self._orders else []

    def _repeated(self, texts: pa.ChunkedArray) -> list[tuple[int, str]]:
        """Return the rows with the id of the row before, and that id; a row without an id does not count."""
        rows = np.flatnonzero(texts.is_valid())
        present = texts.drop_null().combine_chunks()
        if not len(present):
            return []
        before = pa.concat_arrays([pa.array([self._last_id], pa.string()), present[:-1]])
        self._last_id = present[-1].as_py()
        repeated = pc.indices_nonzero(pc.equal(present, before).fill_null(False)).to_pylist()
        return [(int(rows[place]), present[place].as_py()) for place in repeated]


def _typical(
    raw: bytes, starts: np.ndarray, stops: np.ndarray, fields: list[Field]
) -> list[int | None] | None:
    """Return the commonest layout of a few documents, or None."""
    few = range(0, len(starts), max(1, len(starts) // 8))
    layouts = (layout_of(raw, int(starts[place]), int(stops[place]), fields) for place in few)
    known = [layout for layout in layouts if layout]
    return max(known, key=known.count, default=None)
