"""The order of the steps of a publication."""

from typing import Any

from operations.versions import publishing, served_answers
from project import Project

import pytest


def test_process_that_serves_starts_first_and_for_a_new_model_only(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{ready.root}/mlflow.db")
    monkeypatch.chdir(ready.root)
    ready.git("remote", "remove", "origin")
    steps: list[str] = []

    def noted(step: str, original: Any) -> Any:
        return lambda: (steps.append(step), original())[1]

    monkeypatch.setattr(served_answers, "_start", noted("process", served_answers._start))
    monkeypatch.setattr(publishing, "Registry", noted("registry", publishing.Registry))

    assert publishing.publish("main").new
    assert steps == ["process", "registry"]

    steps.clear()
    assert not publishing.publish("main").new
    assert steps == ["registry"]
