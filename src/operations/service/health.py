"""Routes for monitoring: liveness, readiness, Prometheus metrics."""

from operations.readiness.servers import REACHED
from operations.readiness.waiting import unreachable
from operations.service.metrics import History
from operations.service.routes import Running

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from pydantic import BaseModel

router = APIRouter(tags=["service"])


class Readiness(BaseModel):
    """Each server that a retrain needs, and `ok` or what is wrong with it."""

    ready: bool
    servers: dict[str, str]


@router.get("/health")
def health() -> dict[str, str]:
    """Liveness: the service answers. No server is asked."""
    return {"status": "ok"}


@router.get("/ready", responses={503: {"model": Readiness}})
def ready(response: Response) -> Readiness:
    """Readiness: MongoDB, the DVC remote, MLflow and the Git remote answer."""
    away = unreachable()
    response.status_code = 503 if away else 200
    return Readiness(ready=not away, servers={name: away.get(name, "ok") for name in REACHED})


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(runner: Running) -> Response:
    """Metrics for Prometheus."""
    content = generate_latest(History(runner.jobs.all()))
    return Response(content, media_type=CONTENT_TYPE_PLAIN_0_0_4)
