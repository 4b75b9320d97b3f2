"""Applies a contract to documents as ingestion and validation do, without writing anything."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pipeline.checks.reasons import Reasons
from pipeline.checks.rules import row_problems
from pipeline.checks.sample import positive
from pipeline.config.contract import Contract
from pipeline.data.ids import split_shares
from pipeline.source.bson_types import MISSING, type_name
from pipeline.source.decoding import Decoder
from pipeline.source.documents import ID_FIELD

import bson
import numpy as np
import pyarrow as pa

BATCH = 500
# The number of accepted rows that are kept for the ranking of the target by each column.
MOST_ROWS = 20_000


@dataclass
class Proof:
    """The result of a contract for documents."""

    read: int = 0
    rejected: int = 0
    reasons: Reasons = field(default_factory=Reasons)
    # The number of documents that are rejected because of exactly these columns.
    columns: Counter[frozenset[str]] = field(default_factory=Counter)
    tables: list[pa.Table] = field(default_factory=list)
    # The accepted negatives and positives, shape (2,), of the train split and of the holdout.
    splits: np.ndarray = field(default_factory=lambda: np.zeros((2, 2), dtype=int))
    # The columns that have a value in a train row.
    with_value: set[str] = field(default_factory=set)

    def rows(self, contract: Contract) -> pa.Table:
        """Return up to `MOST_ROWS` accepted rows."""
        return pa.concat_tables([contract.arrow().empty_table(), *self.tables])

    def rejected_without(self, left_out: set[str]) -> int:
        """Return how many documents are still rejected if these columns are left out."""
        return sum(count for columns, count in self.columns.items() if columns - left_out)


def prove(contract: Contract, documents: Iterable[dict[str, Any]], test_size: float = 0) -> Proof:
    """Return how many of the documents the contract accepts, and why it rejects the others.

    `test_size` is the share of the holdout.
    """
    proof, decoder, kept = Proof(), Decoder(contract), 0
    rest = iter(documents)
    while batch := list(islice(rest, BATCH)):
        decoded = decoder.decode(
            b"".join(bson.encode(projected(document, contract, decoder)) for document in batch)
        )
        why = {rejection.row: rejection.reasons for rejection in decoded.rejections}
        broken = row_problems(decoded.table, contract)
        proof.read += len(batch)
        for reasons in (*why.values(), *broken.values()):
            proof.rejected += 1
            proof.columns[frozenset(reason.partition(":")[0] for reason in reasons)] += 1
            for reason in reasons:
                proof.reasons.add(reason)
        keep = np.ones(len(decoded.table), dtype=bool)
        keep[list(broken)] = False
        rows = decoded.table.filter(pa.array(keep))
        in_holdout = split_shares(rows[contract.id]) < test_size
        of_class = 2 * in_holdout + positive(rows, contract)
        proof.splits += np.bincount(of_class, minlength=4).reshape(2, 2)
        train = rows.filter(pa.array(~in_holdout))
        proof.with_value |= {name for name in contract.columns if train[name].null_count < len(train)}
        if kept < MOST_ROWS:
            proof.tables.append(rows)
            kept += len(rows)
    return proof


def projected(document: dict[str, Any], contract: Contract, decoder: Decoder) -> dict[str, Any]:
    """Return what the server sends for the `Decoder.projection` of a document."""
    fields: dict[str, Any] = {"_id": document.get("_id", MISSING)}
    if contract.id != "_id":
        fields[ID_FIELD] = _at(document, contract.id)
    for name, column in contract.columns.items():
        fields[name] = _at(document, column.path)
    for name, path in decoder.parents.items():
        value = _at(document, path)
        fields[name] = "object" if isinstance(value, dict) else type_name(value).split()[-1]
    return {name: value for name, value in fields.items() if value is not MISSING}


def _at(document: dict[str, Any], path: str) -> Any:
    inner: Any = document
    for name in path.split("."):
        if not isinstance(inner, dict) or name not in inner:
            return MISSING
        inner = inner[name]
    return inner
