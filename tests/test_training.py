"""Training as a stage: the same bytes in any process, and a model without the project's code."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import evaluation
import training
import transformation
from algorithms import INSTALLED
from pipeline.config.contract import load_contract
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.data.artifacts import MODEL, TEST, TRAIN
from pipeline.modelling.features import read_features
from pipeline.modelling.parameters import EvaluationParameters
from project import ROOT, environment
from stages import Folder, failure, row

import joblib
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

TRAINING = {
    "derived_features": {"average": "total_charges / (tenure_months + 1)"},
    "hist_gradient_boosting": {"max_iter": 20, "max_features": 0.5},
    "random_forest": {"n_estimators": 20},
}

# Loads models and predicts, without the project's modules.
ELSEWHERE = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "pipeline":
            raise ImportError(f"{name} is not for serving")

sys.meta_path.insert(0, Blocked())
import joblib, pandas

frame = pandas.read_json("raw.json", dtype=False)
for path in sys.argv[1:]:
    print(joblib.load(path).predict_proba(frame)[:, 1].tolist())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A working directory with features to train on."""
    folder = Folder(tmp_path, monkeypatch)
    folder.write(
        "validated", [row(number) for number in range(300)], [row(number) for number in range(300, 500)]
    )
    transformation.main()
    folder.set(training=TRAINING | {"algorithm": "hist_gradient_boosting"})
    return folder


def digest() -> str:
    """Return the sha256 of the model."""
    return hashlib.sha256(MODEL.read_bytes()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", INSTALLED)
def test_the_same_bytes_in_processes_of_any_kind(folder: Folder, algorithm: str) -> None:
    # A calibration is as deterministic as a fit.
    calibration = {"random_forest": "isotonic", "logistic_regression": "sigmoid"}.get(algorithm, "none")
    folder.set(training=TRAINING | {"algorithm": algorithm, "calibration": calibration})
    digests = set()

    for threads in ("1", "2"):
        env = environment(PYTHONPATH=str(ROOT / "src"), OMP_NUM_THREADS=threads, PYTHONHASHSEED=threads)
        subprocess.run([sys.executable, f"{ROOT}/src/training.py"], cwd=folder.root, env=env, check=True)
        digests.add(digest())
        MODEL.unlink()

    assert len(digests) == 1


@pytest.mark.slow
def test_a_model_loads_and_predicts_without_the_project(folder: Folder) -> None:
    test = read_features(TEST, folder.contract)[0].head(20)
    test.to_json("raw.json", orient="records")
    expected, paths = [], []
    for algorithm in INSTALLED:
        folder.set(training=TRAINING | {"algorithm": algorithm})
        training.main()
        paths.append(MODEL.rename(f"{algorithm}.joblib"))
        expected.append(joblib.load(paths[-1]).predict_proba(test)[:, 1].tolist())

    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *paths],
        cwd=folder.root,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert [json.loads(line) for line in done.stdout.splitlines()] == expected


def test_the_model_is_one_file(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    training.main()

    assert [path.name for path in MODEL.parent.iterdir()] == [MODEL.name]
    assert "training: hist_gradient_boosting on " in capsys.readouterr().out


def test_single_class_is_refused(folder: Folder) -> None:
    folder.write("validated", [row(number, churned=True) for number in range(300)], [])
    transformation.main()

    assert "one class of churned only: more rows of the other class" in failure(training.main, PipelineError)
    assert not MODEL.exists()
    holdout = pd.DataFrame({"churned": [1, 1]})
    with pytest.raises(PipelineError, match=r"or a larger transformation\.test_size"):
        evaluation.evaluate(Pipeline([]), holdout, load_contract(), EvaluationParameters())


def test_missing_features_have_advice(folder: Folder) -> None:
    for part in TRAIN.iterdir():
        part.unlink()

    message = failure(training.main, PipelineError)

    assert message.startswith("artifacts/features/train holds no Parquet part: run 'dvc repro'")


def test_failed_training_keeps_the_last_model(folder: Folder) -> None:
    training.main()
    before = digest()
    folder.set(training=TRAINING | {"algorithm": "random_forest", "derived_features": {"x": "nothing"}})

    failure(training.main, ConfigurationError)

    assert digest() == before
