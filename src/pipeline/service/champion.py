"""The champion as the service shows it."""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.errors import PipelineError
from pipeline.registry import Registry

# MLflow is asked at most this often, in seconds: a page that many look at must not load it.
FRESH = 5.0


@dataclass(frozen=True)
class Champion:
    """The version in use."""

    number: int
    commit: str
    run_id: str
    scores: dict[str, float]
    data_since: datetime


_lock = threading.Lock()
_known: tuple[float, Champion | None] | None = None


def champion() -> Champion | None:
    """Return the champion, at most five seconds old; None if there is none, or if MLflow is away."""
    global _known  # noqa: PLW0603 - it is a cache
    with _lock:
        if _known is None or time.monotonic() - _known[0] > FRESH:
            try:
                found = _asked()
            except PipelineError:
                found = None
            _known = (time.monotonic(), found)
        return _known[1]


def _asked() -> Champion | None:
    versions = Registry().versions()
    found = next((version for version in versions if version.champion), None)
    if found is None:
        return None
    # The data is as old as the first version that was made of it.
    data = found.tags.get("data.raw.md5")
    first = min(version.created for version in versions if version.tags.get("data.raw.md5") == data)
    return Champion(
        number=found.number,
        commit=found.tags.get("git.commit", ""),
        run_id=found.run_id,
        scores=found.scores,
        data_since=datetime.fromtimestamp(first / 1000, UTC),
    )
