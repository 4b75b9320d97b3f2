"""One snapshot of the collection: its count, its documents in the order of their ids, documents by id.

The server chooses the moment with the first read, a count. All other reads name this moment, so they can
use several connections at once. pymongo's snapshot sessions do the same, but for one thread at a time.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import groupby, pairwise
from typing import Any, cast

from pipeline.config.contract import Contract
from pipeline.data.ids import id_text
from pipeline.source.ahead import ahead
from pipeline.source.mongo import CODEC, offers_snapshot
from pipeline.source.parameters import IngestionParameters
from pipeline.source.progress import say_above_bar

import bson
from bson import Timestamp
from pymongo import MongoClient
from pymongo.read_concern import ReadConcern

# The documents of a range on average; the number of batches that a reader holds; the most ranges.
RANGE_ROWS, AHEAD, MOST_RANGES = 40_000, 4, 1_000
# How many sampled ids there are for each border: with more, ranges differ less in size.
SAMPLED = 10

Document = dict[str, Any]


class _AtMoment(ReadConcern):
    """The read concern `snapshot` at a moment; without one, the server chooses the moment."""

    def __init__(self, moment: Timestamp | None = None) -> None:
        super().__init__("snapshot")
        self._moment = moment

    @property
    def document(self) -> dict[str, Any]:
        """The document that pymongo sends."""
        return super().document | ({"atClusterTime": self._moment} if self._moment else {})


class Snapshot:
    """The documents of the collection that the filter selects, at one moment if the server offers that."""

    def __init__(
        self,
        client: MongoClient[Document],
        parameters: IngestionParameters,
        contract: Contract,
        batch_rows: int,
    ) -> None:
        self._parameters, self._batch_rows = parameters, batch_rows
        self._database = client[parameters.database]
        self._order = [("_id", 1)] if contract.id == "_id" else [(contract.id, 1), ("_id", 1)]
        self.concern: ReadConcern | None = _AtMoment() if offers_snapshot(client) else None
        if not self.concern:
            say_above_bar(
                "warning: a standalone server, or one before MongoDB 5.0, offers no snapshot: "
                "documents written during the read may be missing"
            )
        self.total = self.count()
        collection = self._database.get_collection(parameters.collection, codec_options=CODEC)
        self._collection = collection.with_options(read_concern=self.concern)

    def count(self) -> int:
        """Return the number of documents, by a full scan; the server chooses the moment at the first call."""
        # The command of `count_documents`, which does not return the moment.
        group = {"$group": {"_id": 1, "n": {"$sum": 1}}}
        command = {
            "aggregate": self._parameters.collection,
            "pipeline": [{"$match": self._parameters.filter}, group],
            "cursor": {},
        }
        if self.concern:
            command["readConcern"] = self.concern.document
        answer = self._database.command(command, read_preference=self._database.read_preference)
        if self.concern:
            self.concern = _AtMoment(answer["cursor"].get("atClusterTime"))
        return next((int(counted["n"]) for counted in answer["cursor"]["firstBatch"]), 0)

    @contextmanager
    def batches(self, projection: Document) -> Iterator[Iterator[bytes]]:
        """Yield an iterator over raw batches in the order of the ids, read ahead by `readers` threads.

        With several, each reads one of many ranges of `_id`, between borders from a sample of the ids.
        """
        readers = self._parameters.readers
        with ExitStack() as threads:

            def batches() -> Iterator[bytes]:
                reading: deque[Iterator[bytes]] = deque()
                for low, high in pairwise([None, *self._borders(), None]):
                    ids = self._range(projection, low, high)
                    reading.append(threads.enter_context(ahead(ids, AHEAD)))
                    if len(reading) == readers:
                        yield from reading.popleft()
                while reading:
                    yield from reading.popleft()

            yield batches()

    def _borders(self) -> list[Document]:
        ranges = min(self.total // RANGE_ROWS, MOST_RANGES) if self._parameters.readers > 1 else 1
        # MongoDB refuses the bounds of an index for a view.
        if ranges <= 1 or "viewOn" in self._database[self._parameters.collection].options():
            return []
        # Without a filter the sample is the first step: then the server reads no more than the sample.
        match = [{"$match": self._parameters.filter}] if self._parameters.filter else []
        sample = [{"$sample": {"size": ranges * SAMPLED}}, {"$project": {"_id": 1}}, {"$sort": {"_id": 1}}]
        found = list(self._collection.aggregate([*match, *sample], allowDiskUse=True))
        once = [next(same) for _, same in groupby(found, lambda document: id_text(document["_id"]))]
        return once[SAMPLED::SAMPLED]

    def _range(self, projection: Document, low: Document | None, high: Document | None) -> Iterator[bytes]:
        cursor = self._collection.find_raw_batches(
            self._parameters.filter,
            projection,
            sort=self._order,
            batch_size=self._batch_rows,
            allow_disk_use=True,
        )
        # Unlike comparisons in a query, the bounds of an index cover ids of all types.
        if low:
            cursor = cursor.hint([("_id", 1)]).min([*low.items()])
        if high:
            cursor = cursor.hint([("_id", 1)]).max([*high.items()])
        yield from cursor

    def documents(self, ids: list[Any], at_once: int) -> Iterator[Document]:
        """Yield the whole documents with these values of `_id`, in order, each decoded when it is needed."""
        cursor = self._collection.find_raw_batches(
            {"_id": {"$in": ids}}, sort=self._order, batch_size=at_once, allow_disk_use=True
        )
        for raw in cast("Iterator[bytes]", cursor):
            yield from bson.decode_iter(raw, CODEC)
