"""Guards every request: its token, its origin and host, and the size of its body."""

import hmac
import ipaddress
import os
from typing import Annotated

from operations.service.problems import problem

from fastapi import Depends, Header, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import URL
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A request for a retrain has less than a hundred bytes.
LARGEST_BODY = 16_384

bearer = HTTPBearer(auto_error=False, description="TRAIN_API_TOKEN; needed if the service has one")


def token() -> str:
    """Return TRAIN_API_TOKEN, or an empty text."""
    return os.environ.get("TRAIN_API_TOKEN", "")


def authorized(
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    sec_fetch_site: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> None:
    """Refuse a request with a wrong token, by a comparison in constant time.

    If the service has no token, refuse requests from pages of other sites, by the header Sec-Fetch-Site: they
    could start a retrain through the user's browser.

    Raises:
        HTTPException: 401, or 403.
    """
    expected = token()
    sent = given.credentials if given else ""
    if expected and not hmac.compare_digest(sent.encode(), expected.encode()):
        raise HTTPException(401, "a valid bearer token is needed", {"WWW-Authenticate": "Bearer"})
    if not expected and sec_fetch_site in {"cross-site", "same-site"}:
        raise HTTPException(403, "a page of another site may not start a retrain")


class LocalHostsOnly:
    """Without a token, answers only requests to localhost and loopback addresses.

    This blocks DNS rebinding: another site's name may resolve to this machine.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request to another host."""
        if scope["type"] == "http" and not token() and not is_loopback(requested_host(scope)):
            detail = "without TRAIN_API_TOKEN only localhost and its addresses are answered"
            await problem(421, detail)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def requested_host(scope: Scope) -> str:
    """Return the host name in a request; empty if it is invalid."""
    try:
        return URL(scope=scope).hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a host is localhost or a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class BoundedBody:
    """Refuses a body of more than `LARGEST_BODY` bytes as it is read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the bytes as they arrive."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > LARGEST_BODY:
                detail = f"a body may have {LARGEST_BODY:,} bytes at most"
                raise HTTPException(413, detail, {"Connection": "close"})
            return message

        await self.app(scope, counted, send)
