"""What a request must pass first: the token, and the size of its body."""

import hmac
import ipaddress
import os
from typing import Annotated

from operations.service.problems import problem

from fastapi import Depends, Header, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import URL
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# An order is less than a hundred bytes.
LARGEST_BODY = 16_384

bearer = HTTPBearer(auto_error=False, description="TRAIN_API_TOKEN; needed if the service has one")


def token() -> str:
    """Return the token that the environment names, or nothing."""
    return os.environ.get("TRAIN_API_TOKEN", "")


def authorized(
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    sec_fetch_site: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> None:
    """Refuse a request without the right token, if there is one; the comparison takes the same time always.

    Without a token, a page of another site that somebody has open could start a retrain on their machine:
    browsers say where a request comes from, and such a one is refused.

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
    """Answers, without a token, only what is addressed to this machine.

    The name of another site can be made to lead here: for a browser, its page is then the service's own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse any other name."""
        if scope["type"] == "http" and not token() and not is_loopback(requested_host(scope)):
            detail = "without TRAIN_API_TOKEN only localhost and its addresses are answered"
            await problem(421, detail)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def requested_host(scope: Scope) -> str:
    """Return the name by which a request calls this machine; none if it makes no sense."""
    try:
        return URL(scope=scope).hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class BoundedBody:
    """Refuses a body that is larger than `LARGEST_BODY`, whether or not it says so before."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the bytes as they come."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        detail = f"a body may have {LARGEST_BODY:,} bytes"
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > LARGEST_BODY:
            await problem(413, detail, {"Connection": "close"})(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > LARGEST_BODY:
                raise HTTPException(413, detail, {"Connection": "close"})
            return message

        await self.app(scope, counted, send)
