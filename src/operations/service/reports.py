"""Serves the report of a version, which evaluation logged to its run in MLflow."""

from functools import lru_cache
from typing import Annotated

from operations.service.problems import responses
from operations.service.version_cache import version_cache
from operations.versions.registry import Registry
from pipeline.config.errors import PipelineError
from pipeline.data.artifacts import REPORT
from pipeline.tracking.mlflow_store import plain_mlflow_errors, tracking_store

from fastapi import APIRouter, HTTPException, Path
from fastapi.responses import HTMLResponse

router = APIRouter(prefix="/versions", tags=["versions"])
# The page has styles of its own, and no script: what another client of MLflow put there does not run.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, max-age=3600",
}


@router.get(
    "/{version}/report.html",
    response_class=HTMLResponse,
    responses={200: {"description": "The page"}, **responses(404, 422, 503)},
)
def report(version: Annotated[int, Path(ge=1)]) -> HTMLResponse:
    """The evaluation of a version in one page: verdict, scores, curves, slices, data and lineage."""
    known = version_cache.get()
    known_version = next((candidate for candidate in known.versions if candidate.number == version), None)
    if known_version is None and not known.answers:
        raise HTTPException(503, "MLflow does not answer")
    if known_version is None or not known_version.run_id:
        raise HTTPException(404, f"there is no version {version}")
    try:
        return HTMLResponse(page(known_version.run_id), headers=HEADERS)
    except FileNotFoundError as error:
        raise HTTPException(404, f"the run of version {version} has no report") from error
    except PipelineError as error:
        raise HTTPException(503, "MLflow does not give the report") from error


@lru_cache(maxsize=32)
def page(run: str) -> str:
    """Return the report of a run. It is cached, since a finished run does not change.

    Raises:
        FileNotFoundError: the run has no report.
        PipelineError: MLflow is away.
    """
    with plain_mlflow_errors(tracking_store()[0], "try again"):
        from mlflow.artifacts import load_text

        if REPORT.name in [item.path for item in Registry().client.list_artifacts(run)]:
            return str(load_text(f"runs:/{run}/{REPORT.name}"))
    raise FileNotFoundError(REPORT.name)
