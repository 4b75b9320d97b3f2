"""`pipeline tune`: a search on the training split alone, also after an interruption."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import transformation
from operations.retraining.exclusive import BusyError
from operations.tuning import tune as tuning
from operations.tuning.tune import FOLDER, tune
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.config.parameters import load
from pipeline.data.artifacts import TEST, TRAIN
from pipeline.modelling.parameters import TrainingParameters
from project import ROOT, environment
from stages import Folder, failure, row

import mlflow
import pytest
from filelock import FileLock

# Present parameters that learn nothing: no leaf can be so large.
PRESENT = {"max_iter": 4, "min_samples_leaf": 200}
TRAINING: dict[str, Any] = {
    "algorithm": "hist_gradient_boosting",
    "hist_gradient_boosting": PRESENT,
    "search": {
        "hist_gradient_boosting": {
            "max_iter": {"low": 2, "high": 8},
            "min_samples_leaf": {"low": 5, "high": 200, "log": True},
            "max_leaf_nodes": {"choices": [2, 4, 8]},
        }
    },
}
pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "operations.cli", "tune", "--trials", "6"]


def split(folder: Folder, rows: int) -> None:
    """Write a train split of about 0.8 * `rows` rows, and a holdout that cannot be read."""
    TEST.unlink(missing_ok=True)
    folder.write("validated", [row(number) for number in range(rows)])
    with redirect_stdout(io.StringIO()):
        transformation.main()
    shutil.rmtree(TEST)
    # A link to itself: even root cannot open or list it.
    TEST.symlink_to(TEST.name)


def working_directory(root: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Make a folder to search in."""
    root.mkdir()
    folder = Folder(root, monkeypatch)
    split(folder, 300)
    folder.set(training=TRAINING)
    (root / "dvc.yaml").write_text("stages: {}\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A working directory to search in, with one other partition to compare on."""
    monkeypatch.setattr(tuning, "REPEATS", range(1, 2))
    return working_directory(tmp_path / "here", monkeypatch)


def block(folder: Folder) -> dict[str, Any]:
    """Return the parameters of the algorithm in params.yaml."""
    return dict(load("training", TrainingParameters, folder.root / "params.yaml").hist_gradient_boosting)


def known() -> int:
    """Return how many folds the results of all searches here hold."""
    return sum(len(path.read_text().splitlines()) for path in FOLDER.glob("*.jsonl"))


def test_a_dry_search_only_prints(folder: Folder) -> None:
    before = (folder.root / "params.yaml").read_bytes()

    head, verdict, *changes = tune(4, dry=True).splitlines()

    assert head == "tune: hist_gradient_boosting, 4 trials on 236 train rows, 5 folds"
    assert verdict.startswith("dry, params.yaml is unchanged: trial ")
    assert "1 x 5 other folds: gain +0." in verdict
    assert verdict.endswith("more than chance")
    assert any(line.startswith("  min_samples_leaf: 200 -> ") for line in changes)
    assert (folder.root / "params.yaml").read_bytes() == before
    # Four trials, then the winner and the present parameters on the other folds.
    assert known() == 4 * 5 + 2 * 5
    assert not (folder.root / "mlflow.db").exists()


def test_more_trials_continue_another_study_restarts(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    tune(2, dry=True)
    assert capsys.readouterr().out == ""
    first = known()

    tune(3, dry=True)

    assert f"continues a search: the scores of {first} folds are known" in capsys.readouterr().out
    assert first + 5 <= known() <= first + 10
    narrow = {"hist_gradient_boosting": {"max_iter": {"low": 2, "high": 9}}}
    changes: list[Callable[[], None]] = [
        lambda: folder.set(training=TRAINING | {"random_state": 1}),
        lambda: folder.set(training=TRAINING | {"search": narrow}),
        lambda: split(folder, 290),
    ]
    for number, change in enumerate(changes, 2):
        change()
        tune(2, dry=True)
        assert len(list(FOLDER.glob("*.jsonl"))) == number
        assert capsys.readouterr().out == ""


def test_impossible_search_is_refused_in_one_line(folder: Folder) -> None:
    def refused(kind: type[PipelineError], **training: Any) -> str:
        folder.set(training=TRAINING | training)
        return failure(lambda: tune(2, dry=True) and None, kind)

    missing = refused(ConfigurationError, algorithm="random_forest")
    assert "training.search.random_forest is missing" in missing
    unknown = {"hist_gradient_boosting": {"max_leafs": {"low": 2, "high": 4}}}
    assert "unknown parameter max_leafs" in refused(ConfigurationError, search=unknown)
    cannot = {"max_iter": 2, "categorical_features": [99]}
    message = refused(PipelineError, hist_gradient_boosting=cannot)
    assert "training.hist_gradient_boosting cannot be fitted: " in message
    with FileLock(FOLDER / "lock"):
        assert "another 'pipeline tune' is running here" in refused(BusyError)
    columns = folder.parameters["schema"]["columns"] | {"new": {"path": "n", "type": "number"}}
    folder.set(schema=folder.parameters["schema"] | {"columns": columns})
    assert "other columns than the schema: run 'dvc repro'" in refused(PipelineError)
    for part in TRAIN.iterdir():
        part.unlink()
    assert "artifacts/features/train holds no Parquet part: run 'dvc repro'" in refused(PipelineError)


def test_a_file_changed_during_the_search_is_not_overwritten(folder: Folder) -> None:
    before = load("training", TrainingParameters)
    folder.set(training=TRAINING | {"random_state": 3})

    with pytest.raises(PipelineError, match="changed during the search: nothing is written"):
        tuning.with_winner(before, {"max_iter": 7})


@pytest.mark.long
def test_killed_search_continues_to_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes, killed and continued, find the same winner as one uninterrupted process."""
    whole = working_directory(tmp_path / "whole", monkeypatch)
    expected = tune(6, dry=True).splitlines()
    folds = known()
    killed = working_directory(tmp_path / "killed", monkeypatch)
    env = environment(PYTHONPATH=str(ROOT / "src"), LOKY_MAX_CPU_COUNT="2")
    process = subprocess.Popen(COMMAND, cwd=killed.root, env=env, start_new_session=True)
    while process.poll() is None and known() < 8:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    assert 8 <= known() < folds
    done = subprocess.run(COMMAND, cwd=killed.root, env=env, capture_output=True, text=True, check=True)

    message = done.stdout.splitlines()
    assert message[0].startswith("tune: continues a search: the scores of ")
    assert message[1] == expected[0]
    assert message[2] == expected[1].replace("dry, params.yaml is unchanged", "written to params.yaml")
    assert message[3:] == [*expected[2:], "next: 'dvc repro' trains with them"]
    # No progress bar without a terminal, no fold twice, the winner in params.yaml, and no process left.
    assert done.stderr == ""
    assert known() == folds
    assert block(whole) == PRESENT != block(killed)
    left = subprocess.run(["pgrep", "-s", str(process.pid)], capture_output=True, text=True, check=False)
    assert left.stdout == ""

    client = mlflow.MlflowClient(f"sqlite:///{killed.root}/mlflow.db")
    runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
    [parent] = [run for run in runs if "tune.study" in run.data.tags]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert sorted(int(run.data.tags["tune.trial"]) for run in children) == list(range(6))
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len(runs) == 1 + len(children)
    best = max(children, key=lambda run: run.data.metrics["cv_roc_auc"])
    assert parent.data.metrics["cv_roc_auc"] == best.data.metrics["cv_roc_auc"]
    logged = {name.rpartition(".")[2]: value for name, value in best.data.params.items()}
    assert logged == {name: str(value) for name, value in block(killed).items()}
    assert parent.data.tags["tune.verdict"] == message[2]
