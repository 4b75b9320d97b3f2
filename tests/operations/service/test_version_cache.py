"""The service's cache of versions: few requests, a short wait, and a refresh after a publication."""

import threading
import time
from collections.abc import Callable, Iterator

from operations.service import version_cache as module
from operations.service.version_cache import VersionCache
from operations.versions.version import Version
from pipeline.config.errors import PipelineError

import pytest


class Answers:
    """Replaces the request to MLflow; each answer can be delayed, and can be an error."""

    def __init__(self) -> None:
        self.asked = 0
        self.newest = 1
        self.away = False
        self.may_answer = threading.Event()
        self.may_answer.set()

    def scored(self) -> list[Version]:
        self.asked += 1
        newest, away = self.newest, self.away
        self.may_answer.wait(10)
        if away:
            raise PipelineError("MLflow is away")
        return [Version(number, "", {}, False) for number in range(1, newest + 1)]


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    answers = Answers()
    make: Callable[[], Answers] = lambda: answers  # noqa: E731
    monkeypatch.setattr(module, "Registry", make)
    yield answers
    answers.may_answer.set()


def test_many_requests_ask_mlflow_once(mlflow: Answers) -> None:
    version_cache = VersionCache()

    assert {len(version_cache.get().versions) for _ in range(100)} == {1}
    assert mlflow.asked == 1


def test_a_slow_mlflow_is_not_waited_for(mlflow: Answers) -> None:
    mlflow.may_answer.clear()
    version_cache = VersionCache()
    started = time.monotonic()

    assert version_cache.get(timeout=0.1) == module.Known()
    assert time.monotonic() - started < 2
    # The late answer is in the cache.
    mlflow.may_answer.set()
    assert len(version_cache.get().versions) == 1


def test_last_versions_stay_while_mlflow_is_away(mlflow: Answers) -> None:
    version_cache = VersionCache()
    first = version_cache.get()
    mlflow.away = True
    version_cache.forget()

    second = version_cache.get()
    assert second.versions == first.versions
    assert second.answered_at == first.answered_at
    assert (first.answers, second.answers) == (True, False)


def test_publication_refreshes_the_cache(mlflow: Answers) -> None:
    version_cache = VersionCache()
    mlflow.may_answer.clear()
    version_cache.get(timeout=0.05)
    # Version 2 is published while MLflow still answers the earlier request.
    mlflow.newest = 2
    version_cache.forget()
    mlflow.may_answer.set()

    assert len(version_cache.get().versions) == 2
