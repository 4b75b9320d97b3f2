"""Caches the registered versions, so that requests rarely ask MLflow and never wait for it long."""

import logging
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from operations.versions.registry import Registry
from operations.versions.version import Version
from pipeline.config.errors import PipelineError

LOGGER = logging.getLogger(__name__)
# How long an answer of MLflow is fresh, in seconds. A page with many readers must not load MLflow.
FRESH = 5.0
# How long to wait for MLflow before the last answer is returned, in seconds.
ANSWER_TIMEOUT = 2.0


@dataclass(frozen=True)
class Known:
    """The last answer of MLflow, the oldest version first, and whether it answered the last request.

    `answers` is None before the first request.
    """

    versions: tuple[Version, ...] = ()
    answered_at: datetime | None = None
    answers: bool | None = None

    @property
    def champion(self) -> Version | None:
        """The champion, or None."""
        return next((version for version in self.versions if version.champion), None)

    def data_since(self, version: Version) -> datetime:
        """Return the time of the first version with the same data; the data is at least that old."""
        first = min(other.created for other in self.versions if other.data == version.data)
        return datetime.fromtimestamp(first / 1000, UTC)


class VersionCache:
    """Returns the versions, at most five seconds old while MLflow answers. Any thread may call."""

    def __init__(self) -> None:
        self._answered = threading.Condition()
        self._known = Known()
        self._fresh_until = 0.0
        self._forgotten = 0
        self._asking = False

    def get(self, timeout: float = ANSWER_TIMEOUT) -> Known:
        """Return the versions. If they are old, ask MLflow, and wait up to `timeout` seconds."""
        with self._answered:
            self._answered.wait_for(self._is_fresh, timeout)
            return self._known

    def _is_fresh(self) -> bool:
        """Whether the versions are fresh. If they are not, ask MLflow."""
        fresh = time.monotonic() < self._fresh_until
        if not fresh and not self._asking:
            self._asking = True
            threading.Thread(target=self._ask, args=[self._forgotten], daemon=True).start()
        return fresh

    def forget(self) -> None:
        """Invalidate the cache, since a version was published."""
        with self._answered:
            self._forgotten += 1
            self._fresh_until = 0.0

    def _ask(self, forgotten: int) -> None:
        known = replace(self._known, answers=False)
        try:
            known = Known(tuple(Registry().scored()), datetime.now(UTC), answers=True)
        except PipelineError as error:
            LOGGER.warning("%s", error)
        finally:
            with self._answered:
                self._known, self._asking = known, False
                # A request that started before `forget` may lack the new version: do not call it fresh.
                if forgotten == self._forgotten:
                    self._fresh_until = time.monotonic() + FRESH
                self._answered.notify_all()


version_cache = VersionCache()
