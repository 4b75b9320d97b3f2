"""Which requests may start a retrain."""

import asyncio

from operations.service.guard import LocalHostsOnly, authorized
from operations.service.serve import serve
from pipeline.config.errors import ConfigurationError

import pytest
from fastapi import HTTPException
from fastapi.security import HTTPAuthorizationCredentials
from starlette.responses import PlainTextResponse
from starlette.types import Message


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAIN_API_TOKEN", raising=False)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_cross_site_request_is_refused(site: str) -> None:
    with pytest.raises(HTTPException) as refused:
        authorized(None, site)

    assert refused.value.status_code == 403


@pytest.mark.parametrize("site", ["same-origin", "none", None])
def test_own_page_and_plain_clients_are_allowed(site: str | None) -> None:
    authorized(None, site)


def test_token_allows_any_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAIN_API_TOKEN", "right")
    authorized(HTTPAuthorizationCredentials(scheme="Bearer", credentials="right"), "cross-site")

    for given in (None, HTTPAuthorizationCredentials(scheme="Bearer", credentials="wrong")):
        with pytest.raises(HTTPException) as refused:
            authorized(given, "same-origin")
        assert refused.value.status_code == 401


def answer(host: str) -> int:
    """Return the status for a request with a host name, where the app itself answers 200."""
    app = LocalHostsOnly(PlainTextResponse("here"))
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "scheme": "http", "method": "GET", "path": "/", "query_string": b""}
    asyncio.run(app(scope | {"headers": [(b"host", host.encode())]}, receive, send))
    status: int = sent[0]["status"]
    return status


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "127.0.0.1", "[::1]:8000"])
def test_loopback_needs_no_token(host: str) -> None:
    assert answer(host) == 200


@pytest.mark.parametrize("host", ["evil.example:8000", "127.0.0.1.evil.example", "localhost.example", "["])
def test_other_host_name_needs_a_token(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer(host) == 421

    monkeypatch.setenv("TRAIN_API_TOKEN", "right")
    assert answer(host) == 200


@pytest.mark.parametrize("sent", ["sésame", "open sesame", "sesame\n"])
def test_invalid_token_is_refused_at_the_start(sent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAIN_API_TOKEN", sent)

    with pytest.raises(ConfigurationError, match="TRAIN_API_TOKEN may hold") as raised:
        serve("127.0.0.1", 0)

    assert sent not in str(raised.value)
