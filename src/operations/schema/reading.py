"""Reads documents for the schema commands: a random sample of a bounded size, or all of them."""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.config.errors import PipelineError
from pipeline.source.mongo import CODEC, connect
from pipeline.source.parameters import IngestionParameters

import bson
from pymongo.collection import Collection
from pymongo.errors import ExecutionTimeout

# The largest number of documents, and about the largest size in bytes, of a sample, which stays in memory.
SAMPLE, SAMPLE_BYTES = 10_000, 64 * 2**20
BATCH = 500
COUNT_TIMEOUT_MS = 3_000
# The number of collections that a message lists.
MOST_LISTED = 10

Document = dict[str, Any]


@dataclass
class Documents:
    """Documents of a collection, which can be read several times; calling it yields them.

    `total` is the number of selected documents, or None if the server does not count them in time.
    `complete`: all of them are read.
    """

    name: str
    total: int | None
    complete: bool
    batches: list[bytes] | None
    collection: Collection[Document]
    query: Document

    def __call__(self) -> Iterator[Document]:
        """Yield one document at a time, since one may have 16 MB, and ten times as much when decoded."""
        batches: Any = self.batches
        if batches is None:
            batches = self.collection.find_raw_batches(self.query, batch_size=BATCH)
        for raw in batches:
            yield from bson.decode_iter(raw, CODEC)


class NoSampleInTimeError(PipelineError):
    """The server did not return a sample in time."""


@contextmanager
def reading(
    parameters: IngestionParameters, everything: bool, most: int = SAMPLE, seconds: float | None = None
) -> Iterator[Documents]:
    """Yield the documents that the filter selects: a random sample of `most`, or all of them.

    At most `most` selected documents are read completely. `seconds` is the server's time limit for a sample:
    with a filter, the server reads all selected documents for it.

    Raises:
        NoSampleInTimeError: the server takes longer.
        PipelineError: see `pipeline.source.mongo.connect`.
    """
    name = f"{parameters.database}.{parameters.collection}"
    query = parameters.filter
    with connect(parameters.source) as client:
        collection = client[parameters.database].get_collection(parameters.collection, codec_options=CODEC)
        total = _count(collection, query)
        batches, complete = None, True
        if not everything:
            small = total is not None and total <= most
            some: Document = {"$limit": most} if small else {"$sample": {"size": most}}
            try:
                batches, complete = _bounded(collection, [{"$match": query}, some], seconds)
            except ExecutionTimeout:
                raise NoSampleInTimeError(f"{name}: no sample within {seconds} seconds") from None
            complete = complete and small
        yield Documents(name, total, complete, batches, collection, query)


def no_document(documents: Documents, options: Container[str] = ()) -> str:
    """Return why no document was read, and what to correct: `options` are parameters of the command line."""
    names = sorted(documents.collection.database.list_collection_names())
    if documents.collection.name not in names:
        more = f" and {len(names) - MOST_LISTED:,} more" if len(names) > MOST_LISTED else ""
        listed = f"{', '.join(names[:MOST_LISTED]) or 'no collection'}{more}"
        return (
            f"{documents.name} does not exist: correct {_origin('collection', options)}; the database "
            f"{documents.collection.database.name} has {listed}"
        )
    if documents.query and documents.collection.find_one({}, {"_id": 1}):
        name = _origin("filter", options)
        return f"{documents.name} holds no document that the filter selects: correct {name}"
    return f"{documents.name} is empty: insert documents, or correct {_origin('collection', options)}"


def _origin(key: str, options: Container[str]) -> str:
    return f"--{key}" if key in options else f"ingestion.{key} in params.yaml"


def _count(collection: Collection[Document], query: Document) -> int | None:
    try:
        if not query:
            return collection.estimated_document_count(maxTimeMS=COUNT_TIMEOUT_MS)
        return collection.count_documents(query, maxTimeMS=COUNT_TIMEOUT_MS)
    except ExecutionTimeout:
        return None


def _bounded(
    collection: Collection[Document], pipeline: list[Document], seconds: float | None
) -> tuple[list[bytes], bool]:
    """Return the batches of an aggregation up to `SAMPLE_BYTES`, and whether these are all."""
    batches: list[bytes] = []
    size = 0
    limit: dict[str, Any] = {} if seconds is None else {"maxTimeMS": int(seconds * 1000)}
    with collection.aggregate_raw_batches(pipeline, batchSize=BATCH, allowDiskUse=True, **limit) as cursor:
        raw_batches: Any = cursor
        for raw in raw_batches:
            if size and size + len(raw) > SAMPLE_BYTES:
                return batches, False
            batches.append(raw)
            size += len(raw)
    return batches, True
