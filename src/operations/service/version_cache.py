"""The registered versions as MLflow told them last: it is asked rarely, and never waited for long."""

import logging
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from operations.versions.registry import Registry
from operations.versions.version import Version
from pipeline.config.errors import PipelineError

LOGGER = logging.getLogger(__name__)
# MLflow is asked at most this often: a page that many look at must not load it; in seconds.
FRESH = 5.0
# How long an answer is waited for, before what was known is good enough; in seconds.
ANSWER_TIMEOUT = 2.0


@dataclass(frozen=True)
class Known:
    """What MLflow told, the oldest version first; and whether it answered when it was asked last.

    `answers` is None until it was asked for the first time.
    """

    versions: tuple[Version, ...] = ()
    told_at: datetime | None = None
    answers: bool | None = None


class VersionCache:
    """The versions, at most five seconds old while MLflow answers; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known = Known()
        self._fresh_until = 0.0
        self._forgotten = 0
        self._idle = threading.Event()
        self._idle.set()

    def get(self, timeout: float = ANSWER_TIMEOUT) -> Known:
        """Return what is known, asked anew if it is old, and if the answer comes in time."""
        deadline = time.monotonic() + timeout
        while True:
            with self._lock:
                if time.monotonic() < self._fresh_until:
                    return self._known
                if self._idle.is_set():
                    self._idle.clear()
                    threading.Thread(target=self._ask, args=[self._forgotten], daemon=True).start()
            if not self._idle.wait(max(0.0, deadline - time.monotonic())):
                return self._known

    def forget(self) -> None:
        """Ask anew the next time, since something was published."""
        with self._lock:
            self._forgotten += 1
            self._fresh_until = 0.0

    def _ask(self, forgotten: int) -> None:
        known = replace(self._known, answers=False)
        try:
            known = Known(tuple(Registry().scored()), datetime.now(UTC), answers=True)
        except PipelineError as error:
            LOGGER.warning("%s", error)
        finally:
            with self._lock:
                self._known = known
                # What was asked before something was published is not the answer to what came after.
                if forgotten == self._forgotten:
                    self._fresh_until = time.monotonic() + FRESH
                self._idle.set()


version_cache = VersionCache()
