"""The versions in MLflow, and the number of requests for them."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from operations.versions.registry import Registry
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.tracking.mlflow_store import PROJECT

import pytest
from mlflow.exceptions import MlflowException


def forget(registry: Registry) -> None:
    with suppress(MlflowException):
        registry.client.delete_registered_model(PROJECT)


@pytest.fixture
def registry(mlflow_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A server without a version."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    registry = Registry()
    forget(registry)
    yield registry
    forget(registry)


def add(registry: Registry, *scores: float) -> None:
    """Register a version for each score."""
    client = registry.client
    if not client.search_registered_models(f"name = '{PROJECT}'"):
        client.create_registered_model(PROJECT)
    for score in scores:
        run = client.create_run("0").info.run_id
        client.log_metric(run, "roc_auc", score)
        client.set_terminated(run)
        client.create_model_version(
            PROJECT, f"runs:/{run}/model", run_id=run, tags={"git.commit": f"c{score}"}
        )


def test_projects_on_one_server_have_their_own_versions(registry: Registry, tmp_path: Path) -> None:
    add(registry, 0.7)
    # Given params.yaml of the current folder names another model
    (tmp_path / "params.yaml").write_text("mlflow: {registered_model: fraud}\n")

    other = Registry()

    assert other.versions() == []
    with pytest.raises(PipelineError, match="there is no version 1 of fraud: "):
        other.version(1)
    assert len(registry.versions()) == 1
    for name in ("a/b", "a'b", " ", "a@b", "a?b"):
        (tmp_path / "params.yaml").write_text(f'mlflow: {{registered_model: "{name}"}}\n')
        with pytest.raises(ConfigurationError, match=r"^params.yaml: mlflow.registered_model: "):
            Registry()
    for nothing in ("training: {}\n", "mlflow:\n"):
        (tmp_path / "params.yaml").write_text(nothing)
        assert Registry().versions() == registry.versions()


def test_versions_have_the_scores_of_their_runs(registry: Registry) -> None:
    assert registry.versions() == registry.scored() == []
    assert registry.champion() is None
    add(registry, 0.7, 0.8, 0.9)
    registry.client.create_model_version(PROJECT, "s3://elsewhere/model")
    registry.client.delete_run(registry.version(2).run_id)
    registry.make_champion(3)

    found = registry.scored()

    assert [version.number for version in found] == [1, 2, 3, 4]
    assert [version.scores for version in found] == [{"roc_auc": 0.7}, {}, {"roc_auc": 0.9}, {}]
    assert [version.champion for version in found] == [False, False, True, False]
    assert found[2].tags == {"git.commit": "c0.9"}
    assert registry.champion() == registry.version(3) == registry.versions()[2]
    assert registry.champion().created > 0  # type: ignore[union-attr]
    with pytest.raises(PipelineError, match="there is no version 5"):
        registry.version(5)


def test_requests_to_mlflow_do_not_grow(registry: Registry, caplog: pytest.LogCaptureFixture) -> None:
    def requests(question: Callable[[], object]) -> int:
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "urllib3.connectionpool"):
            question()
        return sum(" /api/" in record.getMessage() for record in caplog.records)

    def all_requests() -> list[int]:
        questions = (registry.versions, registry.scored, registry.champion, lambda: registry.version(1))
        return [requests(question) for question in questions]

    add(registry, 0.7)
    registry.make_champion(1)
    few = all_requests()
    add(registry, *([0.8] * 9))

    assert all_requests() == few
    assert 0 < max(few) < 6


def test_refused_credentials_are_not_retried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # MLflow's own server needs packages for passwords that the project does not have.
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:S3cret@127.0.0.1:{server.server_port}")
        with pytest.raises(
            ConfigurationError, match=r"refuses you .*: set MLFLOW_TRACKING_USERNAME"
        ) as raised:
            Registry().champion()
        server.shutdown()

    assert "S3cret" not in str(raised.value)


def test_server_other_than_mlflow_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(PipelineError, match=r"^MLflow at http://127.0.0.1:\d+ cannot be used"):
            Registry().version(1)
        server.shutdown()
