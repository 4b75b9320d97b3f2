"""Serves the image of a version's plots, which evaluation logged to its run in MLflow."""

import tempfile
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Annotated

from operations.service.problems import responses
from operations.service.version_cache import version_cache
from operations.versions.registry import Registry
from pipeline.config.errors import PipelineError
from pipeline.tracking.mlflow_store import plain_mlflow_errors, tracking_store

from fastapi import APIRouter, HTTPException, Path, Response

router = APIRouter(prefix="/versions", tags=["versions"])
FOLDER, PLOTS = "plots", "plots/plots.png"


class Png(Response):
    """A PNG image."""

    media_type = "image/png"


@router.get(
    "/{version}/plots.png",
    response_class=Png,
    responses={200: {"description": "The picture"}, **responses(404, 422, 503)},
)
def plots(version: Annotated[int, Path(ge=1)]) -> Response:
    """The curves, the confusion matrix and the importance of the columns, in one picture."""
    known = version_cache.get()
    known_version = next((candidate for candidate in known.versions if candidate.number == version), None)
    if known_version is None and not known.answers:
        raise HTTPException(503, "MLflow does not answer")
    if known_version is None or not known_version.run_id:
        raise HTTPException(404, f"there is no version {version}")
    try:
        return Png(picture(known_version.run_id), headers={"Cache-Control": "private, max-age=3600"})
    except FileNotFoundError as error:
        raise HTTPException(404, f"the run of version {version} has no plots") from error
    except PipelineError as error:
        raise HTTPException(503, "MLflow does not give the plots") from error


@lru_cache(maxsize=32)
def picture(run: str) -> bytes:
    """Return the plots of a run as PNG. They are cached, since a finished run does not change.

    Raises:
        FileNotFoundError: the run has no plots.
        PipelineError: MLflow is away.
    """
    with plain_mlflow_errors(tracking_store()[0], "try again"):
        client = Registry().client
        listed = [item.path for item in client.list_artifacts(run, FOLDER)]
        if PLOTS in listed:
            with tempfile.TemporaryDirectory() as folder:
                return FilePath(client.download_artifacts(run, PLOTS, folder)).read_bytes()
    raise FileNotFoundError(PLOTS)
