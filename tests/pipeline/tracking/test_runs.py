"""The MLflow run of an evaluated model, with and without a real MLflow server."""

import hashlib
import json
import subprocess
import sys
import threading
from importlib.metadata import version
from pathlib import Path

from operations.versions.loading import load_model
from operations.versions.publishing import CONTENT
from operations.versions.registry import Registry
from pipeline.config.errors import PipelineError
from pipeline.config.packages import PACKAGES
from pipeline.tracking import mlflow_store
from pipeline.tracking.lineage import locked_tags, without_credentials
from pipeline.tracking.names import mlflow_name
from pipeline.tracking.runs import _experiment, skip_package_scan
from project import Project, environment, free_port

import importlib_metadata
import mlflow
import mlflow.sklearn
import pytest
from mlflow.entities import Run
from mlflow.utils import requirements_utils
from ruamel.yaml import YAML
from sklearn.dummy import DummyClassifier


def runs(uri: str) -> list[Run]:
    client = mlflow.MlflowClient(uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, order_by=["attributes.start_time DESC"]))


def serve_in_a_clean_process(model: str, rows: Path, uri: str) -> list[list[float]]:
    """Load the model as pyfunc without the project, and predict the rows of a JSON file."""
    code = (
        "import sys, json, pandas, mlflow\n"
        "sys.modules['pipeline'] = None  # importing it fails from here on\n"
        f"model = mlflow.pyfunc.load_model({model!r})\n"
        f"frame = pandas.read_json({str(rows)!r}, orient='split')\n"
        "print(json.dumps(model.predict(frame).tolist()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=rows.parent,
        env=environment(MLFLOW_TRACKING_URI=uri, MLFLOW_DISABLE_TELEMETRY="true"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_run_has_the_complete_lineage(ready: Project, mlflow_server: str, tmp_path: Path) -> None:
    # Given a checkout with a token in the URL of its remote
    ready.git("remote", "set-url", "origin", "https://user:t0ken@git.example.org/team/churn")
    before = runs(mlflow_server)

    ready.repro("--force", "--single-item", "evaluation", MLFLOW_TRACKING_URI=mlflow_server)

    run, *others = runs(mlflow_server)
    assert len(others) == len(before)
    assert run.info.status == "FINISHED"
    lock = YAML(typ="safe").load(ready.root / "dvc.lock")["stages"]
    tags = run.data.tags
    assert tags["git.commit"] == ready.git("rev-parse", "HEAD").strip()
    assert tags["git.dirty"] == "false"
    assert tags["dvc.lock.md5"] == hashlib.md5((ready.root / "dvc.lock").read_bytes()).hexdigest()
    outputs = {out["path"]: out["md5"] for stage in lock.values() for out in stage["outs"]}
    assert tags["data.raw.md5"] == outputs["artifacts/raw"]
    assert tags["data.train.md5"] == outputs["artifacts/features/train"]
    assert tags["model.md5"] == outputs["artifacts/model"]
    assert tags["metrics.md5"] == outputs["artifacts/evaluation/metrics.json"]
    assert "t0ken" not in str(tags)

    metrics = ready.json("artifacts/evaluation/metrics.json")
    assert run.data.metrics["roc_auc"] == metrics["roc_auc"]
    ends = [run.data.metrics[f"calibration_error_interval.{end}"] for end in ("low", "high")]
    assert ends == metrics["calibration_error_interval"]
    by_contract = ready.json("artifacts/evaluation/slices.json")["contract"]["one year"]
    assert run.data.metrics["slices.contract.one year.log_loss"] == by_contract["log_loss"]
    assert run.data.params["training.hist_gradient_boosting.learning_rate"]
    assert run.data.params["schema.columns.contract.path"] == "account.contract"

    client = mlflow.MlflowClient(mlflow_server)
    plots = {Path(file.path).name for file in client.list_artifacts(run.info.run_id, "plots")}
    names = ("roc", "precision_recall", "calibration", "confusion", "importance")
    assert plots == {f"{name}.json" for name in names}
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files >= {"metrics.json", "slices.json", "report.html"}

    # and the model can be served without this project
    mlflow.set_tracking_uri(mlflow_server)
    model = f"runs:/{run.info.run_id}/model"
    info = mlflow.models.get_model_info(model)
    files = Path(mlflow.artifacts.download_artifacts(model, dst_path=str(tmp_path / "model")))
    example = json.loads((files / "input_example.json").read_text())
    # The signature requires all columns, also the nullable ones.
    assert set(info.signature.inputs.required_input_names()) == set(example["columns"])
    assert "churned" not in example["columns"]
    assert all("==" in line for line in (files / "requirements.txt").read_text().splitlines())
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps(example))
    served = serve_in_a_clean_process(model, rows, mlflow_server)
    assert served == first_probabilities(ready, len(example["data"]))


def test_requirements_are_compared_without_a_scan_of_all_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements_utils, "_MODULES_TO_PACKAGES", None)
    monkeypatch.setattr(importlib_metadata, "packages_distributions", lambda: pytest.fail("all are read"))
    skip_package_scan()

    found = [requirements_utils._check_requirement_satisfied(f"{name}==0") for name in PACKAGES]

    assert [str(mismatch) for mismatch in found] == [
        f"{name} (current: {version(name)}, required: {name}==0)" for name in PACKAGES
    ]


def first_probabilities(project: Project, count: int) -> list[list[float]]:
    """Predict the first rows of the holdout with the model in DVC."""
    code = (
        "import json, joblib\n"
        "from pipeline.config.contract import load_contract\n"
        "from pipeline.modelling.features import read_split\n"
        "from pipeline.data.artifacts import MODEL, TEST\n"
        f"rows = read_split(TEST)[list(load_contract().features)].head({count})\n"
        "print(json.dumps(joblib.load(MODEL).predict_proba(rows).tolist()))\n"
    )
    return json.loads(project.run("python", "-c", code, PYTHONPATH="src").stdout)


def test_model_below_the_minimum_fails_run_and_stage(ready: Project, mlflow_server: str) -> None:
    # Given a name that MLflow does not accept
    ready.set(evaluation__min_scores={"roc_auc": 0.99}, ingestion__filter={"churned": {"$in": [True, False]}})

    words = ("dvc", "repro", "--single-item", "evaluation")
    done = ready.run(*words, check=False, MLFLOW_TRACKING_URI=mlflow_server)

    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("evaluation: ")]
    assert len(lines) == 1
    assert "below evaluation.min_scores 0.99" in lines[0]
    assert "Traceback" not in done.stderr
    run = runs(mlflow_server)[0]
    assert run.info.status == "FAILED"
    assert run.data.params[mlflow_name("ingestion.filter.churned.$in")] == "[True, False]"
    assert ready.git("status", "--porcelain", "dvc.lock") == ""


def test_without_mlflow_the_model_is_kept(ready: Project, mlflow_server: str) -> None:
    # Given a new model, and a server that is away
    ready.set(training__hist_gradient_boosting__max_iter=21)
    away = f"http://user:s3cret@127.0.0.1:{free_port()}"

    done = ready.run("dvc", "repro", check=False, MLFLOW_TRACKING_URI=away)

    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("evaluation: ")]
    assert len(lines) == 1
    assert "MLflow at http://127.0.0.1" in lines[0]
    assert "cannot be used (Connection refused)" in lines[0]
    assert "Traceback" not in done.stdout + done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    assert (ready.root / "artifacts/model/model.joblib").exists()

    assert ready.repro(MLFLOW_TRACKING_URI=mlflow_server) == ["evaluation"]
    # Its inputs are not committed yet, and the run is marked so.
    assert runs(mlflow_server)[0].data.tags["git.dirty"] == "true"


def test_environment_does_not_select_the_run(ready: Project) -> None:
    # Given the exported run and experiment of a platform
    uri = f"sqlite:///{ready.root}/mlflow.db"
    client = mlflow.MlflowClient(uri)
    theirs = client.create_experiment("theirs")
    other = client.create_run(theirs).info.run_id
    model = client.create_logged_model(theirs, source_run_id=other).model_id
    known = {run.info.run_id for run in runs(uri)}

    for _ in range(2):
        done = ready.stage(
            "evaluation",
            MLFLOW_EXPERIMENT_ID=theirs,
            MLFLOW_RUN_ID=other,
            MLFLOW_ACTIVE_MODEL_ID=model,
            MLFLOW_RUN_CONTEXT='{"registered.model-v1": ""}',
            MLFLOW_ENABLE_ASYNC_LOGGING="true",
        )

    # Then each evaluation is its own complete run, in the named experiment
    made = [run for run in runs(uri) if run.info.run_id not in known]
    assert len(made) == 2
    assert {run.info.experiment_id for run in made} == {theirs}
    assert all("roc_auc" in run.data.metrics and "git.commit" in run.data.tags for run in made)
    assert all("registered.model-v1" not in run.data.tags for run in made)
    assert client.get_run(other).data.metrics == {}
    assert not client.get_logged_model(model).metrics
    unused = "MLflow: MLFLOW_RUN_ID, MLFLOW_RUN_CONTEXT, MLFLOW_ACTIVE_MODEL_ID: not used"
    assert unused in done.stdout


@pytest.mark.slow
def test_deleted_experiment_is_named(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    number = _experiment(uri, None)
    mlflow.MlflowClient(uri).delete_experiment(number)

    with pytest.raises(PipelineError, match=f"was deleted in MLflow: .*restore --experiment-id {number}'"):
        _experiment(uri, None)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a%20b", "what? é#"])
def test_default_store_in_any_path(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(mlflow_store, "stores_root", lambda: tmp_path / name)
    (tmp_path / name).mkdir()
    uri, artifacts = mlflow_store.tracking_store()
    mlflow.set_tracking_uri(uri)
    # `set_experiment` would also select the experiment of later tests in this process, in other stores.
    with mlflow.start_run(experiment_id=_experiment(uri, artifacts)) as run:
        model = DummyClassifier().fit([[0], [1]], [0, 1])
        mlflow.sklearn.log_model(model, name="model", serialization_format="pickle", pip_requirements=[])
    mlflow.register_model(f"runs:/{run.info.run_id}/model", mlflow_store.PROJECT)

    registry = Registry()

    assert load_model(registry, registry.version(1)).predict([[0]]) == [0]
    assert (tmp_path / name / "mlflow.db").is_file()
    assert (tmp_path / name / "mlartifacts").is_dir()


@pytest.mark.slow
def test_default_store_ignores_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the current folder is a throw-away worktree
    (tmp_path / "worktree").mkdir()
    monkeypatch.chdir(tmp_path / "worktree")
    monkeypatch.setattr(mlflow_store, "stores_root", lambda: tmp_path)

    for store in ("sqlite:///own.db", f"sqlite:///{tmp_path}/elsewhere.db"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
        uri, artifacts = mlflow_store.tracking_store()
        found = mlflow.MlflowClient(uri).get_experiment(_experiment(uri, artifacts))

        assert uri == f"sqlite:///{tmp_path}/{store.rpartition('/')[2]}"
        assert found.artifact_location == (tmp_path / "mlartifacts").as_uri()
    assert list(Path.cwd().iterdir()) == []
    # and a server decides itself
    for store in ("https://mlflow.example.org", "databricks"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
        assert mlflow_store.tracking_store() == (store, None)


def test_silent_mlflow_server_times_out(ready: Project) -> None:
    # Given a server that accepts connections and never answers
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        held = []
        accepting = threading.Thread(target=lambda: held.append(silent.accept()), daemon=True)
        accepting.start()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = ready.stage(
            "evaluation",
            check=False,
            MLFLOW_TRACKING_URI=uri,
            MLFLOW_HTTP_REQUEST_TIMEOUT="1",
            MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
        )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "cannot be used (no answer in time)" in done.stderr


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://user:pa%40ss@host:5000/path?token=x", "http://host:5000/path"),
        ("https://token@github.com/team/repo", "https://github.com/team/repo"),
        ("postgresql://mlflow:pa/ss@db/mlflow", "postgresql://db/mlflow"),
        ("postgresql://mlflow:pa?ss@db/mlflow?x=y", "postgresql://db/mlflow"),
        ("sqlite:////folder/mlflow.db", "sqlite:////folder/mlflow.db"),
        ("git@github.com:team/repo", "git@github.com:team/repo"),
        ("user:pass@host:5000", "host:5000"),
        ("https:/user:pass@host/path", "host/path"),
        ("http://host/path#token=x", "http://host/path"),
        ("https://user:pa\nss@host", "https://host"),
    ],
)
def test_a_uri_is_shown_without_its_credentials(uri: str, shown: str) -> None:
    assert without_credentials(uri) == shown


def test_run_is_found_by_model_and_scores(ready: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ready.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{ready.root}/mlflow.db")

    def run_of_the_lock() -> str | None:
        tags = locked_tags()
        return Registry().run_of({name: tags[name] for name in CONTENT})

    committed = run_of_the_lock()
    # Given an abandoned experiment that scores the same model on other slices
    ready.set(evaluation__slice_by=["internet_service"])
    assert ready.repro() == ["evaluation"]
    assert run_of_the_lock() not in {None, committed}
    ready.git("checkout", "-q", "dvc.lock", "params.yaml")

    assert run_of_the_lock() == committed is not None
