"""The report of a version, from a real MLflow store."""

from pathlib import Path

from operations.service.reports import page, report
from operations.service.serve import make_app
from operations.service.version_cache import version_cache
from pipeline.tracking.mlflow_store import PROJECT

import mlflow
import pytest
from fastapi import HTTPException


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mlflow.MlflowClient:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    page.cache_clear()
    version_cache.forget()
    return mlflow.MlflowClient(uri)


def refused(version: int) -> tuple[int, str]:
    with pytest.raises(HTTPException) as error:
        report(version)
    return error.value.status_code, error.value.detail


@pytest.mark.slow
def test_version_has_the_report_of_its_run(
    store: mlflow.MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = store.create_experiment("some", artifact_location=(tmp_path / "files").as_uri())
    runs = [store.create_run(experiment).info.run_id for _ in range(2)]
    (tmp_path / "report.html").write_bytes(b"<p>version 1</p>")
    store.log_artifact(runs[0], str(tmp_path / "report.html"))
    store.create_registered_model(PROJECT)
    for run in runs:
        store.create_model_version(PROJECT, f"runs:/{run}/model", run)
    version_cache.get(timeout=30)

    assert report(1).body == b"<p>version 1</p>"
    assert report(1).media_type == "text/html"
    # Its inline styles apply, and a script in it does not run.
    policy = report(1).headers["content-security-policy"]
    assert "default-src 'none'; style-src 'unsafe-inline'" in policy
    assert policy.endswith("sandbox")
    assert refused(2) == (404, "the run of version 2 has no report")
    assert refused(3) == (404, "there is no version 3")

    # A fetched page is cached while MLflow is away; another one is not available.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert report(1).body == b"<p>version 1</p>"
    assert refused(2) == (503, "MLflow does not give the report")
    version_cache.forget()
    version_cache.get(timeout=30)
    assert refused(3) == (503, "MLflow does not answer")


def test_documented_status_codes(tmp_path: Path) -> None:
    documented = make_app(tmp_path).openapi()["paths"]["/versions/{version}/report.html"]["get"]["responses"]

    assert set(documented) == {"200", "404", "421", "422", "500", "503"}
    assert list(documented["200"]["content"]) == ["text/html"]
