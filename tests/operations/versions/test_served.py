"""A version is served once before it becomes champion, and must answer like the model in DVC."""

import pickle
import signal
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from operations.versions import served, served_answers
from operations.versions.served import reasons_not_to_serve
from operations.versions.version import Version
from pipeline.config.contract import Contract
from pipeline.data.artifacts import MODEL, TEST
from pipeline.data.features import features
from pipeline.data.parts import write_part
from pipeline.modelling.parameters import TrainingParameters
from pipeline.tracking.runs import serving
from stages import Folder, contract_with, row, table
from training import train

import joblib
import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

pytestmark = pytest.mark.slow
CONTRACT = contract_with(
    opened={"path": "opened", "type": "datetime", "nullable": True},
    channel={"path": "channel", "type": "category", "nullable": True},
    partner={"path": "partner", "type": "boolean", "nullable": True},
)
Tried = Callable[..., list[str]]


def rows(count: int) -> list[dict[str, Any]]:
    return [
        row(
            number,
            opened=datetime(2020, 1, 1) + timedelta(days=number % 700),  # noqa: DTZ001
            channel=("web", "shop", None)[number % 3],
            partner=number % 2 == 0,
        )
        for number in range(count)
    ]


@pytest.fixture
def tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tried:
    """A function that serves one model while DVC has another one (by default the same)."""
    folder = Folder(tmp_path, monkeypatch)
    folder.set(schema=CONTRACT.model_dump(mode="json", exclude_none=True))
    TEST.mkdir(parents=True)
    MODEL.parent.mkdir()
    written = features(table(rows(20), CONTRACT), CONTRACT)
    write_part(written, TEST / "part.parquet")
    example = written.to_pandas()[list(CONTRACT.features)].head(5)
    registry: Any = SimpleNamespace()

    def reasons(logged: Pipeline, kept: Pipeline | None = None, change: Any = None) -> list[str]:
        joblib.dump(kept or logged, MODEL)
        path = tmp_path / "logged"
        mlflow.sklearn.save_model(logged, path, **serving(CONTRACT, example, "random_forest"))
        if change:
            change(path)
        monkeypatch.setattr(served, "download", lambda *_: path)
        return reasons_not_to_serve(registry, Version(1, "run", {}, False))

    return reasons


def model(contract: Contract = CONTRACT, **parameters: Any) -> Pipeline:
    """Return a calibrated model."""
    frame = features(table(rows(300), contract), contract).to_pandas()
    chosen = TrainingParameters(algorithm="logistic_regression", calibration="sigmoid", **parameters)
    return train(frame[list(contract.features)], frame["churned"], chosen, contract)


def test_served_model_answers_as_trained(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []

    def popen(*words: Any, **options: Any) -> Any:
        started.append(subprocess.Popen(*words, **options))
        return started[-1]

    monkeypatch.setattr(served_answers, "subprocess", SimpleNamespace(**vars(subprocess) | {"Popen": popen}))

    with served_answers.started_early():
        assert tried(model()) == []

    (process,) = started
    assert process.returncode == 0


def test_process_without_a_model_ends() -> None:
    with served_answers.started_early():
        (process,) = served_answers._started
        # It also ends when this process is killed, which closes its input
        assert process.stdin
        process.stdin.close()
        assert process.wait(60) == 0
    with served_answers.started_early():
        (process,) = served_answers._started
    assert process.returncode == -signal.SIGKILL


def test_a_model_that_needs_the_project_is_refused(tried: Tried) -> None:
    def needs_the_project(path: Path) -> None:
        (path / "model.pkl").write_bytes(pickle.dumps(reasons_not_to_serve))

    (reason,) = tried(model(), change=needs_the_project)

    assert reason.startswith("the served model cannot be loaded: ModuleNotFoundError: ")


def test_model_with_other_answers_is_refused(tried: Tried) -> None:
    (first, *_) = tried(model(), kept=model(random_state=1, logistic_regression={"C": 0.01}))

    assert first == "the served model and the model in DVC give different answers: the input example"


def test_a_model_that_fails_on_a_null_is_refused(tried: Tried) -> None:
    numbers = FunctionTransformer(pd.DataFrame.get, kw_args={"key": ["total_charges"]})
    frame = pd.DataFrame({"total_charges": np.arange(20.0)})
    blind = make_pipeline(numbers, LogisticRegression()).fit(frame, np.arange(20) % 2)
    # Given no null in the input example, which MLflow scores when it logs the model
    (reason,) = tried(blind)

    assert reason.startswith("the served model fails on null in each nullable column: ValueError: Input X ")
