"""Ingestion: MongoDB -> artifacts/raw/, and the documents that break the schema -> artifacts/rejected/.

Reads the declared columns from one snapshot of the collection, in the order of the ids. Every document is
accepted or rejected: unless read = accepted + rejected, nothing is written.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.config.contract import Contract, load_contract
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.config.parameters import load
from pipeline.config.stages import run_stage
from pipeline.data.artifacts import RAW, REJECTED_BY_INGESTION, rejection_line
from pipeline.data.atomic import atomic_file, atomic_folder
from pipeline.data.ids import hashes, id_text, id_value, sort_key
from pipeline.data.parts import PartWriter
from pipeline.source.ahead import ahead
from pipeline.source.decoding import Batch, Decoder
from pipeline.source.mongo import connect
from pipeline.source.parameters import IngestionParameters
from pipeline.source.progress import progress, say_above_bar
from pipeline.source.snapshot import Snapshot

import numpy as np
import pyarrow as pa
from pymongo import MongoClient
from pymongo.errors import OperationFailure

BATCH_ROWS = 10_000
REFETCHED, REFETCHED_AT_ONCE = 50, 4
ATTEMPTS = 3
# SnapshotTooOld, SnapshotUnavailable, CursorNotFound, CursorKilled: a new attempt may succeed.
_SNAPSHOT_LOST = {239, 246, 43, 237}

Document = dict[str, Any]


class _CountsDifferError(PipelineError):
    """The number of documents read differs from the server's count in the same snapshot."""


def names_of_parts(texts: pa.ChunkedArray, rows_per_part: int) -> dict[int, str]:
    """Return the names of the parts that start with one of the ids, by the row of that id.

    An id starts a part if the hash of its text is divisible by `rows_per_part`, so that new and deleted
    customers change only the parts that they are in. The names sort as the ids do.
    """
    starts = np.flatnonzero(hashes(texts, b"part") % rows_per_part == 0).tolist()
    return {row: f"part-{sort_key(id_value(texts[row].as_py()))}.parquet" for row in starts}


def ingest(
    client: MongoClient[Document],
    parameters: IngestionParameters,
    contract: Contract,
    raw: Path,
    rejected: Path,
) -> tuple[int, int]:
    """Read one snapshot of the collection into the folder `raw` and the JSON lines file `rejected`.

    Returns the numbers of accepted and rejected documents. If the server drops the snapshot, the read starts
    again, up to three attempts in all.

    Raises:
        ConfigurationError: there are several readers, but the id is not `_id`.
        PipelineError: the collection is missing or empty, or the counts do not agree.
    """
    if parameters.readers > 1 and contract.id != "_id":
        raise ConfigurationError(
            "params.yaml: ingestion.readers: several readers read ranges of _id, but schema.id is "
            f"{contract.id}: set readers to 1"
        )
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with atomic_folder(raw) as folder, atomic_file(rejected) as lines:
                return _read(client, parameters, contract, folder, lines)
        except (OperationFailure, _CountsDifferError) as error:
            lost = isinstance(error, _CountsDifferError) or error.code in _SNAPSHOT_LOST
            if not lost or attempt == ATTEMPTS:
                raise
            say_above_bar(f"the server dropped the snapshot that was being read: attempt {attempt + 1}")
    raise AssertionError("unreachable")


def _read(
    client: MongoClient[Document],
    parameters: IngestionParameters,
    contract: Contract,
    folder: Path,
    lines: Path,
) -> tuple[int, int]:
    name = f"{parameters.database}.{parameters.collection}"
    decoder = Decoder(contract)
    accepted = rejected = 0
    with progress() as bar:
        snapshot = Snapshot(client, parameters, contract, BATCH_ROWS)
        bar.total = snapshot.total
        with (
            PartWriter(folder, contract.arrow()) as writer,
            lines.open("w", encoding="utf-8") as file,
            snapshot.batches(decoder.projection()) as answers,
            ahead(
                (batch, names_of_parts(batch.table.column(0), parameters.rows_per_part))
                for batch in map(decoder.decode, answers)
            ) as batches,
        ):
            for batch, names in batches:
                writer.write(batch.table, names)
                for line in _rejected(snapshot, batch):
                    file.write(line + "\n")
                accepted += len(batch.table)
                rejected += len(batch.rejections)
                bar.advance(len(batch.table) + len(batch.rejections))
        # A second count distinguishes lost documents from a server that counts at another moment than it
        # reads. It reads the whole index, so it runs only if the numbers differ.
        read = accepted + rejected
        lost = bool(snapshot.concern and snapshot.total != read) and snapshot.count() == snapshot.total
    if read == 0:
        missing = parameters.collection not in client[parameters.database].list_collection_names()
        problem = "does not exist" if missing else "holds no document that the filter selects"
        raise PipelineError(f"{name} {problem}: correct ingestion in params.yaml; nothing was changed")
    if lost:
        raise _CountsDifferError(
            f"{name} holds {snapshot.total:,} documents but {read:,} were read; nothing was changed"
        )
    return accepted, rejected


def _rejected(snapshot: Snapshot, batch: Batch) -> Iterator[str]:
    """Yield the rejected documents of a batch as JSON lines, with all fields as on the server.

    A document may have 16 MB, and ten times that once decoded. So documents are decoded one at a time, from
    small batches, of which the server sends 16 MB at most.
    """
    for start in range(0, len(batch.rejections), REFETCHED):
        rejections = batch.rejections[start : start + REFETCHED]
        ids = [rejection.document["_id"] for rejection in rejections if "_id" in rejection.document]
        documents = snapshot.documents(ids, REFETCHED_AT_ONCE)
        # They arrive in the order of the rejections, unless they change meanwhile (without a snapshot).
        early: dict[str, Document] = {}
        for rejection in rejections:
            declared, reasons = rejection.document, rejection.reasons
            key = id_text(declared["_id"]) if "_id" in declared else None
            while key is not None and key not in early and (read := next(documents, None)) is not None:
                early[id_text(read["_id"])] = read
            document = early.pop(key, None) if key is not None else None
            if document is None:
                # Deleted meanwhile (only without a snapshot), or a document of a view without an `_id`.
                document = declared
                reasons = [*reasons, "not found a second time: only the declared columns are known"]
            yield rejection_line("ingestion", reasons, document)


def main() -> None:
    """Run the stage."""
    parameters = load("ingestion", IngestionParameters)
    contract = load_contract()
    with connect(parameters.source) as client:
        accepted, rejected = ingest(client, parameters, contract, RAW, REJECTED_BY_INGESTION)
    print(f"ingestion: read {accepted + rejected:,} = accepted {accepted:,} + rejected {rejected:,}")


if __name__ == "__main__":
    run_stage(main)
