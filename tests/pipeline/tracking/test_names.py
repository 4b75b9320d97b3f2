"""The names of parameters and metrics in MLflow."""

from pathlib import Path

from pipeline.config.errors import PipelineError
from pipeline.tracking.mlflow_store import plain_mlflow_errors
from pipeline.tracking.names import LONGEST, mlflow_name

import mlflow
import pytest

ODD = ("a.$gte", "a._gte", "a//b", "a/./b", "..", "/x", "ü & Ö", "q?", "x:y", "long" * 100, "long" * 101, "")


def test_names_are_kept_and_unique() -> None:
    for key in (
        "training.algorithm",
        "slices.one year.roc_auc",
        "slices.plan.N/A.roc_auc",
        "x:y",
        "ü",
    ):
        assert mlflow_name(key) == key

    names = {mlflow_name(key) for key in ODD}
    assert len(names) == len(ODD)
    assert max(map(len, names)) == LONGEST


@pytest.mark.slow
def test_mlflow_accepts_the_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [mlflow_name(key) for key in (*ODD, *(f"ingestion.filter.{odd}" for odd in ODD))]
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    run = client.create_run(client.create_experiment("odd")).info.run_id

    for name in names:
        client.log_param(run, name, 1)
        client.log_metric(run, name, 1.0)

    assert client.get_run(run).data.params.keys() == set(names)
    # A refused name is not reported as a server that is away.
    refused = (
        r"^MLflow at sqlite does not take what it was sent \(.*INVALID_PARAMETER_VALUE\), or .*; all is kept$"
    )
    with pytest.raises(PipelineError, match=refused), plain_mlflow_errors("sqlite", "all is kept"):
        client.log_param(run, "a.$gte", 1)
