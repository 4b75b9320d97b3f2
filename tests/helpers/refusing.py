"""An HTTP proxy before the S3 server that refuses chosen requests as S3 does: with a code, in XML."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

ERROR = '<?xml version="1.0"?><Error><Code>{}</Code><Message>{}</Message></Error>'
# A message of S3 may hold keys: it must appear nowhere.
MESSAGE = "The key AKIA-in-the-words-of-S3 is wrong"


@dataclass
class Refusal:
    """The requests to refuse: `when` is true for their method and path; with a code and a status."""

    code: str = "AccessDenied"
    status: int = 403
    when: Callable[[str, str], bool] = lambda *_: False
    refused: list[str] = field(default_factory=list)


@contextmanager
def refusing(endpoint: str) -> Iterator[tuple[str, Refusal]]:
    """Run the server; yield its URL, and the requests to refuse: none at first."""
    refusal, behind = Refusal(), urlsplit(endpoint).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if refusal.when(self.command, self.path):
                refusal.refused.append(f"{self.command} {self.path}")
                self.answer(refusal.status, {}, ERROR.format(refusal.code, MESSAGE).encode())
                return
            connection = http.client.HTTPConnection(behind)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            self.answer(answer.status, dict(answer.headers), answer.read())
            connection.close()

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815

        def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                    self.send_header(name, value)
            length = headers.get("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", refusal
        server.shutdown()
