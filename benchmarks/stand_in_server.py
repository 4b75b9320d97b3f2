"""A stand-in for a MongoDB server, for benchmarks: it answers a read with ready-made batches.

    python benchmarks/stand_in_server.py ROWS [PAUSE]

So a benchmark measures the client. The server knows the commands of a read, and ignores filters, projections
and batch sizes: any `find` on any collection returns the customers of `generator.py` between the bounds on
`_id`, in batches of `BATCH`, as the projection of ingestion shapes them. After `TEMPLATES` batches they
repeat, with other ids. With `PAUSE`, each batch takes that many seconds more, as on a slow server. The server
prints its port, and ends when its standard input closes.
"""

import socket
import struct
import subprocess
import sys
import threading
import time
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

    def answer(self, name: str, start: int, end: int) -> bytes:
        """Return the reply with the batch of row `start`; its cursor names the rest up to row `end`."""
        content, places = self._templates[start // BATCH % len(self._templates)]
        first = start % BATCH
        count = max(0, min(len(places) - first, end - start))
        # The number of a document in its array is text before the document.
        begin, stop = (
            int(places[place]) - ID_PLACE - len(b"\x03%d\0" % place)
            if place < len(places)
            else 4 + len(content)
            for place in (first, first + count)
        )
        array = bytearray(struct.pack("<i", stop - begin + 5) + content[begin - 4 : stop - 4] + b"\0")
        if count:
            names = np.array([identifier(row) for row in range(start, start + count)], "S11")
            letters = names.view(np.uint8).reshape(-1, 11)
            written = places[first : first + count, None] - begin + 4 + np.arange(11)
            np.frombuffer(array, np.uint8)[written] = letters
        following = (start + count << 32 | end) if start + count < end else 0
        rest = {"id": Int64(following), "ns": "crm.customers", "atClusterTime": MOMENT}
        cursor = _document(b"\x04" + name.encode() + b"\0" + bytes(array) + bson.encode(rest)[4:-1])
        return _document(b"\x03cursor\0" + cursor + bson.encode({"ok": 1.0})[4:-1])


def identifier(row: int) -> str:
    """Return the id of a row."""
    return f"C-{row:09}"


def row_of(bound: dict[str, str] | None, default: int) -> int:
    """Return the row of a bound on `_id`; `default` if there is none."""
    return int(bound["_id"].removeprefix("C-")) if bound else default


def _document(fields: bytes) -> bytes:
    return struct.pack("<i", len(fields) + 5) + fields + b"\0"


def _reply(command: dict[str, Any], batches: Batches, pause: float) -> bytes:
    match next(iter(command)):
        case "find":
            time.sleep(pause)
            start, end = row_of(command.get("min"), 0), row_of(command.get("max"), batches.rows)
            return batches.answer("firstBatch", start, end)
        case "getMore":
            time.sleep(pause)
            start, end = divmod(int(command["getMore"]), 1 << 32)
            return batches.answer("nextBatch", start, end)
        case "aggregate" if "$sample" in command["pipeline"][0]:
            size = command["pipeline"][0]["$sample"]["size"]
            places = np.linspace(0, batches.rows, size, endpoint=False).astype(int)
            return _cursor([{"_id": identifier(place)} for place in places])
        case "aggregate":
            return _cursor([{"_id": 1, "n": batches.rows}])
        case "listCollections":
            return _cursor([{"name": "customers", "type": "collection", "options": {}}])
    return bson.encode(HELLO)


def _cursor(documents: list[dict[str, Any]]) -> bytes:
    cursor = {"firstBatch": documents, "id": Int64(0), "ns": "crm.customers", "atClusterTime": MOMENT}
    return bson.encode({"cursor": cursor, "ok": 1.0})


def _serve(connection: socket.socket, batches: Batches, pause: float) -> None:
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
                code, body = OP_MSG, b"\0\0\0\0\0" + _reply(command, batches, pause)
            connection.sendall(HEADER.pack(HEADER.size + len(body), 0, request, code) + body)


def _accept(listener: socket.socket, batches: Batches, pause: float) -> None:
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(connection, batches, pause), daemon=True).start()


@contextmanager
def stand_in_server(rows: int, pause: float = 0) -> Iterator[str]:
    """Run the server in a new process; yield its URI."""
    words = [sys.executable, __file__, str(rows), str(pause)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"mongodb://127.0.0.1:{int(server.stdout.readline())}/?directConnection=true"


def main() -> None:
    batches, pause = Batches(int(sys.argv[1])), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listener, batches, pause), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
