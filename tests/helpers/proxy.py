"""A TCP proxy that cuts, stalls or slows down the answers of a server."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CHUNK = 16_384


@dataclass
class Proxy:
    """What happens to a connection once the server has sent `after` bytes through it.

    `fault` is `cut` (closed at once), `stall` (open and silent), `drip` (a chunk every `pause` seconds),
    `die` (no answer after the clients have sent `after` bytes) or none. While `away` is set, there is no
    answer either.
    """

    server: tuple[str, int]
    fault: str = ""
    after: int = 0
    pause: float = 0.05
    paused: float = 0
    received: int = 0
    struck: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)
    away: threading.Event = field(default_factory=threading.Event)
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                if self.away.is_set():
                    client.close()
                    continue
                server = socket.create_connection(self.server)
                for pump, one, other in ((self._forward, client, server), (self._answer, server, client)):
                    threading.Thread(target=self._until_closed, args=(pump, one, other), daemon=True).start()

    def _until_closed(self, pump: object, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            pump(one, other)  # type: ignore[operator]
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        while data := client.recv(CHUNK):
            self.received += len(data)
            if self.away.is_set():
                return
            if self.fault == "die" and self.received > self.after:
                self.struck.set()
                self.listener.close()
                return
            server.sendall(data)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        sent = 0
        while (data := server.recv(CHUNK)) and not self.away.is_set():
            if self.fault in {"cut", "stall", "drip"} and sent + len(data) > self.after:
                self.struck.set()
                if self.fault == "cut":
                    client.sendall(data[: max(self.after - sent, 0)])
                    return
                if self.fault == "stall":
                    self.closing.wait()
                    return
                time.sleep(self.pause)
                self.paused += self.pause
            client.sendall(data)
            sent += len(data)


@contextmanager
def proxy(uri: str, fault: str = "", after: int = 0, pause: float = 0.05) -> Iterator[tuple[str, Proxy]]:
    """Run a proxy before the server of `uri`; yield the URI of the proxy, and the proxy."""
    parts = urlsplit(uri)
    running = Proxy((parts.hostname or "", parts.port or 27017), fault, after, pause)
    thread = threading.Thread(target=running.serve, daemon=True)
    thread.start()
    try:
        yield uri.replace(f":{parts.port}", f":{running.port}"), running
    finally:
        running.closing.set()
        with suppress(OSError):
            running.listener.shutdown(socket.SHUT_RDWR)
        running.listener.close()
        thread.join()
