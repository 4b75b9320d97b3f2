"""A stand-in for a MongoDB server, for benchmarks: it answers a read with ready-made batches.

    python benchmarks/stand_in_server.py ROWS

So a benchmark measures the client. The server knows the commands of a read, and ignores filters, projections
and batch sizes: any `find` on any collection returns all customers of `generator.py`, in batches of `BATCH`,
as the projection of ingestion shapes them. After `TEMPLATES` batches they repeat, with other ids. The server
prints its port, and ends when its standard input closes.
"""

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pipeline.config.contract import load_contract
from pipeline.source.decoding import Decoder

import bson
import numpy as np
from bson import Int64, Timestamp
from generator import customers, flat_documents

BATCH, TEMPLATES = 10_000, 5
HELLO = {
    "helloOk": True,
    "ismaster": True,
    "isWritablePrimary": True,
    "setName": "stand-in",
    "maxBsonObjectSize": 16_777_216,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "logicalSessionTimeoutMinutes": 30,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "ok": 1.0,
}
MOMENT = Timestamp(1, 1)
OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
HEADER = struct.Struct("<iiii")
# In each document: its length, `02 "_id" 00`, the length of the id.
ID_PLACE = 4 + 5 + 4


class Batches:
    """The answers to a read of `rows` customers."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        contract = load_contract()
        parents = dict.fromkeys(Decoder(contract).parents, "object")
        self._templates = []
        for start in range(0, min(rows, BATCH * TEMPLATES), BATCH):
            table = customers(contract, start, min(BATCH, rows - start))
            encoded = [bson.encode(document | parents) for document in flat_documents(table)]
            items = [b"\x03%d\0" % place + document for place, document in enumerate(encoded)]
            heads = np.array(
                [len(item) - len(document) for item, document in zip(items, encoded, strict=True)]
            )
            ends = np.cumsum([len(item) for item in items])
            starts = 4 + ends - [len(item) for item in items]
            self._templates.append((b"".join(items), starts + heads + ID_PLACE))

    def answer(self, number: int) -> bytes:
        """Return the reply with a batch, whose cursor is named like the next batch, or 0 at the end."""
        start = number * BATCH
        count = max(0, min(BATCH, self.rows - start))
        content, places = self._templates[number % len(self._templates)]
        array = bytearray(struct.pack("<i", len(content) + 5) + content + b"\0")
        if count < len(places):
            end = int(places[count]) - ID_PLACE - len(b"\x03%d\0" % count) if count else 4
            array = bytearray(struct.pack("<i", end + 1) + array[4:end] + b"\0")
        names = np.char.add("C-", np.char.zfill(np.arange(start, start + count).astype(str), 9)).astype("S11")
        if count:
            np.frombuffer(array, np.uint8)[places[:count, None] + np.arange(11)] = names.view(
                np.uint8
            ).reshape(-1, 11)
        following = number + 1 if start + count < self.rows else 0
        rest = {"id": Int64(following), "ns": "crm.customers", "atClusterTime": MOMENT}
        name = b"nextBatch" if number else b"firstBatch"
        cursor = _document(b"\x04" + name + b"\0" + bytes(array) + bson.encode(rest)[4:-1])
        return _document(b"\x03cursor\0" + cursor + bson.encode({"ok": 1.0})[4:-1])


def _document(fields: bytes) -> bytes:
    return struct.pack("<i", len(fields) + 5) + fields + b"\0"


def _reply(command: dict[str, Any], batches: Batches) -> bytes:
    name = next(iter(command))
    if name == "find":
        return batches.answer(0)
    if name == "getMore":
        return batches.answer(int(command["getMore"]))
    if name == "aggregate":
        count = {"firstBatch": [{"_id": 1, "n": batches.rows}], "id": Int64(0), "ns": "crm.customers"}
        return bson.encode({"cursor": count | {"atClusterTime": MOMENT}, "ok": 1.0})
    return bson.encode(HELLO)


def _serve(connection: socket.socket, batches: Batches) -> None:
    stream = connection.makefile("rb")
    with suppress(OSError), connection, stream:
        while header := stream.read(HEADER.size):
            length, request, _, operation = HEADER.unpack(header)
            message = stream.read(length - HEADER.size)
            if operation == OP_QUERY:
                code, body = OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(HELLO)
            else:
                length = struct.unpack_from("<i", message, 5)[0]
                command = bson.decode(message[5 : 5 + length])
                code, body = OP_MSG, b"\0\0\0\0\0" + _reply(command, batches)
            connection.sendall(HEADER.pack(HEADER.size + len(body), 0, request, code) + body)


def _accept(listener: socket.socket, batches: Batches) -> None:
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(connection, batches), daemon=True).start()


@contextmanager
def stand_in_server(rows: int) -> Iterator[str]:
    """Run the server in a new process; yield its URI."""
    words = [sys.executable, __file__, str(rows)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"mongodb://127.0.0.1:{int(server.stdout.readline())}/?directConnection=true"


def main() -> None:
    batches = Batches(int(sys.argv[1]))
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listener, batches), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
