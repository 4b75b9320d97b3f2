"""Errors of the API as `application/problem+json` (RFC 9457)."""

import logging
import sqlite3
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from operations.service.job_store import KeyReusedError, RunningError
from pipeline.config.errors import cause_of

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

LOG = logging.getLogger("operations.service")
MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What went wrong."""

    model_config = ConfigDict(json_schema_extra={"required": ["type", "title", "status", "detail"]})

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    job: str | None = None


def responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the descriptions of error codes for the OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {code: {"description": HTTPStatus(code).phrase, "content": content} for code in codes}


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, job: str | None = None
) -> JSONResponse:
    """Return the response of an error."""
    content = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, job=job)
    return JSONResponse(
        content.model_dump(exclude_none=True), status, dict(headers or {}), media_type=MEDIA_TYPE
    )


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document, in its responses and in its OpenAPI document."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        document["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        return document

    app.openapi = openapi  # type: ignore[method-assign]

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # Starlette lists only the methods of the first route of this path.
            paths = app.openapi()["paths"].items()
            allowed = [methods for path, methods in paths if compile_path(path)[0].match(request.url.path)]
            if allowed:
                headers["Allow"] = ", ".join(
                    sorted(method.upper() for methods in allowed for method in methods)
                )
        return problem(error.status_code, str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        detail = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()[:3]
        )
        if "json" not in request.headers.get("content-type", "json"):
            detail += " (send it with Content-Type: application/json)"
        return problem(422, detail)

    @app.exception_handler(RunningError)
    async def _running(_request: Request, error: RunningError) -> JSONResponse:
        return problem(409, str(error), {"Location": f"/train/{error.job}"}, job=error.job)

    @app.exception_handler(KeyReusedError)
    async def _key_reused(_request: Request, _error: KeyReusedError) -> JSONResponse:
        return problem(422, "this Idempotency-Key was used before with another request: use a new key")

    @app.exception_handler(sqlite3.Error)
    async def _store(_request: Request, error: sqlite3.Error) -> JSONResponse:
        LOG.error("the store of the jobs", exc_info=error)
        return problem(503, f"the store of the jobs cannot be used: {cause_of(error)}")

    @app.exception_handler(Exception)
    async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
        # The log has the traceback. The response must not reveal internals.
        return problem(500, "something unexpected happened: see the log of the service")
