"""Connects to the source, and turns its errors into one line without secrets."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.source.sample import sample_server

from bson import CodecOptions, DatetimeConversion
from pymongo import MongoClient
from pymongo.errors import ConfigurationError as UriError
from pymongo.errors import (
    ConnectionFailure,
    InvalidName,
    InvalidURI,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

# MongoDB allows dates beyond the year 9999, which stay milliseconds, and text that is not UTF-8, which is
# escaped.
CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO, unicode_decode_error_handler="backslashreplace"
)

_LIMITS = {
    "appname": "churn-pipeline",
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 5_000,
    # How long one answer may take. A count or a sort of a large collection takes minutes. A server that hangs
    # is noticed earlier: the driver's monitor closes its connections.
    "socketTimeoutMS": 3_600_000,
}
_AUTHENTICATION_FAILED, _UNAUTHORIZED = 18, 13
# BadValue, FailedToParse, TypeMismatch: errors of the filter.
_BAD_QUERY = {2, 9, 14}
_MONGODB_5 = 13  # its wire version
# A URI with credentials has a user before the host, or an authentication mechanism.
_USER = re.compile(r"//[^/?]*@|authMechanism=", re.IGNORECASE)


@contextmanager
def connect(source: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """Yield a client of the source: `sample`, the embedded server, or `mongodb`, the server of MONGODB_URI.

    Timeouts in the URI override the defaults: 5 s to find and to reach the server, an hour for an answer.

    Raises:
        ConfigurationError: MONGODB_URI is unset or not a URI, or a file that it names cannot be read; or the
            server refuses the user.
        PipelineError: the server is away or not in the DNS, or fails during use.
    """
    if source == "sample":
        with sample_server() as uri, _client(uri) as client, _plain_mongo_errors("the sample server"):
            yield client
        return
    uri = os.environ.get("MONGODB_URI", "")
    if not uri:
        raise ConfigurationError("MONGODB_URI is not set: name the server, or set ingestion.source to sample")
    try:
        if not uri.startswith(("mongodb://", "mongodb+srv://")) or _password_is_cut(uri):
            raise InvalidURI  # the library would use any word, or the start of a password, as the host
        client = _client(uri)
    except (InvalidURI, UriError, ValueError):
        # The library's own message may quote the password.
        # It raises the same error for a host that is not in the DNS, which may be temporary.
        srv = uri.startswith("mongodb+srv://")
        or_dns = ", or its host has no SRV record in the DNS" if srv else ""
        raise (PipelineError if srv else ConfigurationError)(
            f"MONGODB_URI is not a valid MongoDB URI{or_dns} (mongodb://user:password@host:port/; "
            "special characters in user and password must be percent-encoded)"
        ) from None
    except OSError:
        raise ConfigurationError("MONGODB_URI names a certificate file that cannot be read") from None
    except PyMongoError as error:
        raise PipelineError(
            f"MONGODB_URI: {type(error).__name__}: the host name cannot be resolved"
        ) from None
    with client, _plain_mongo_errors(_hosts(client)):
        yield client


def offers_snapshot(client: MongoClient[dict[str, Any]]) -> bool:
    """Whether the server supports snapshot sessions: a replica set or a cluster of MongoDB 5.0 or later."""
    hello = client.admin.command("hello")
    replicated = "setName" in hello or hello.get("msg") == "isdbgrid"
    return bool(replicated and hello["maxWireVersion"] >= _MONGODB_5)


def _password_is_cut(uri: str) -> bool:
    """Whether the password has an unescaped / or ?: then the path or an option's name has an @."""
    rest = uri.partition("://")[2]
    end = re.search("[/?]", rest)
    path, _, options = (rest[end.end() - (end[0] == "?") :] if end else "").partition("?")
    return "@" in path or any("@" in option.partition("=")[0] for option in re.split("[&;]", options))


def _client(uri: str) -> MongoClient[dict[str, Any]]:
    given = uri.partition("?")[2].lower()
    defaults = {name: value for name, value in _LIMITS.items() if f"{name.lower()}=" not in given}
    return MongoClient(uri, **defaults)  # type: ignore[arg-type]


def _hosts(client: MongoClient[dict[str, Any]]) -> str:
    seeds = client.topology_description.server_descriptions()
    return "MongoDB at " + ",".join(f"{host}:{port}" for host, port in sorted(seeds))


@contextmanager
def _plain_mongo_errors(server: str) -> Iterator[None]:
    try:
        yield
    except ServerSelectionTimeoutError:
        raise PipelineError(
            f"{server} does not answer: start it, or correct MONGODB_URI; nothing was changed"
        ) from None
    except NetworkTimeout:
        raise PipelineError(
            f"{server} stopped answering while it was read: nothing was changed "
            "(where an answer may take longer, add socketTimeoutMS to MONGODB_URI)"
        ) from None
    except ConnectionFailure:
        raise PipelineError(
            f"{server} closed the connection while it was read: nothing was changed"
        ) from None
    except OperationFailure as error:
        kind: type[PipelineError] = ConfigurationError
        if error.code == _AUTHENTICATION_FAILED:
            problem = "refused the user or the password of MONGODB_URI"
        elif error.code == _UNAUTHORIZED:
            problem = (
                "does not let this user read the collection: grant it the role read"
                if _USER.search(os.environ.get("MONGODB_URI", ""))
                else "requires a user and a password: MONGODB_URI has none"
            )
        else:
            kind = ConfigurationError if error.code in _BAD_QUERY else PipelineError
            # The server's message may quote the query from params.yaml, but no password.
            details = error.details or {}
            message = " ".join(str(details.get("errmsg", "")).split())[:200]
            problem = f"failed: {details.get('codeName') or 'error'} (code {error.code}): {message}"
        raise kind(f"{server} {problem}; nothing was changed") from None
    except InvalidName as error:
        raise ConfigurationError(
            f"params.yaml: ingestion.database or ingestion.collection: {error}; nothing was changed"
        ) from None
    except PyMongoError as error:
        raise PipelineError(f"{server} failed: {type(error).__name__}; nothing was changed") from None
