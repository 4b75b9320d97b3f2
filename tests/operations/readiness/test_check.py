"""`pipeline check`: a line for each requirement of a retrain, and no change."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from customers import customer
from operations.readiness import servers, workspace
from operations.readiness.parameters import parameters
from operations.readiness.report import LOCAL, SERVERS
from pipeline.config.errors import ConfigurationError, PipelineError
from project import Project
from s3 import SECRET
from team import Team

import mlflow
import pytest
from pymongo.database import Database


def test_healthy_checkout_passes_unchanged(team: Team) -> None:
    project = team.project

    def everything() -> list[Any]:
        client = mlflow.MlflowClient(team.mlflow)
        experiments = [each.experiment_id for each in client.search_experiments()]
        return [
            project.git("status", "--porcelain"),
            project.git("for-each-ref"),
            team.refs(),
            team.s3.objects(),
            experiments,
            len(client.search_runs(experiments)),
            client.search_model_versions(),
            project.digests(),
        ]

    before = everything()

    done = project.run("pipeline", "check")

    assert everything() == before
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["ok", name] for name in LOCAL | SERVERS
    ]
    assert f"reads {team.database.name}.customers" in done.stdout
    assert SECRET not in done.stdout

    # and each problem is a line of its own
    project.set(evaluation__slice_by=["contrakt"])
    failed = project.run("pipeline", "check", check=False, MLFLOW_TRACKING_URI="file:///mlruns")
    assert failed.returncode == 1
    found = {line.split()[1]: line for line in failed.stdout.splitlines() if line.startswith("wrong")}
    assert list(found) == ["parameters", "mlflow"]
    assert "evaluation.slice_by: contrakt is not a column" in found["parameters"]
    assert failed.stderr == "pipeline: 2 of the checks found something wrong: a retrain would fail\n"


def test_fresh_clone_passes_without_creating_a_store(project: Project) -> None:
    done = project.run("pipeline", "check")

    assert all(line.startswith("ok") for line in done.stdout.splitlines())
    left = project.git("status", "--porcelain", "--ignored").splitlines()
    assert [line for line in left if "__pycache__" not in line] == ["!! .dvc/tmp/"]


# Every type of column, with all its bounds.
PARAMETERS = """
schema:
  target: {column: y, positive: 1}
  columns:
    y: {path: y, type: integer}
    whole: {path: a, type: integer, minimum: 0.5, maximum: 3, nullable: true}
    number: {path: b, type: number, maximum: -1}
    flag: {path: c, type: boolean, nullable: true}
    code: {path: d, type: category}
    kind: {path: e, type: category, values: [one]}
    day: {path: f, type: datetime}
    text: {path: g, type: string}
ingestion: {source: sample, database: a, collection: b}
validation: {}
transformation: {}
training:
  algorithm: logistic_regression
  derived_features: {ratio: number / whole, one: number * (kind == 'one'), late: day_year + 1}
evaluation: {slice_by: [code, text], threshold: 0.5}
mlflow: {}
"""


def test_consistent_parameters_pass_for_all_column_types() -> None:
    Path("params.yaml").write_text(PARAMETERS.lstrip())

    assert parameters() == "a.b, 6 features and 3 derived ones, logistic_regression"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluation__slice_by": ["kinds"]}, "evaluation.slice_by: kinds is not a column of the schema"),
        ({"evaluation__tresholds": 1}, "evaluation.tresholds: unknown key"),
        ({"transformation__test_size": 2.0}, "transformation.test_size"),
        ({"validation__min_row": 5}, "validation.min_row: unknown key"),
        ({"training__algorithm": "random_florest"}, "unknown algorithm random_florest"),
        ({"training__random_forest": {"trees": 3}}, "unknown parameter trees"),
        ({"training__random_forest": {"n_estimators": -3}}, "n_estimators"),
        ({"training__derived_features": {"a": "numbers * 2"}}, "training.derived_features.a"),
        ({"training__derived_features": {"a": "number -"}}, "is not an expression"),
        ({"training__derived_features": {"a": "whole - whole.mean()"}}, "looks at other customers"),
        ({"training__derived_features": {"flag": "number"}}, "the name is taken"),
        ({"schema__target": {"column": "churn", "positive": True}}, "target.column churn"),
        ({"ingestion__rows_per_part": "many"}, "ingestion.rows_per_part"),
        ({"mlflow__registered_model": "a/b"}, "mlflow.registered_model"),
    ],
)
def test_parameters_that_a_later_stage_refuses_are_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    Path("params.yaml").write_text(PARAMETERS.lstrip())
    Project(tmp_path).set(**changes)

    with pytest.raises(ConfigurationError) as raised:
        parameters()

    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.fixture
def reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mongo_uri: str) -> Callable[..., str]:
    """A function that checks MongoDB as a checkout with these parameters does."""

    def ask(database: str, uri: str = mongo_uri, **ingestion: Any) -> str:
        monkeypatch.setenv("MONGODB_URI", uri)
        content = {"source": "mongodb", "database": database, "collection": "customers"} | ingestion
        (tmp_path / "params.yaml").write_text(f"ingestion: {content}\n".replace("'", '"'))
        return servers.use_mongodb()

    return ask


def test_mongodb_is_read_as_by_ingestion(database: Database[Any], reads: Callable[..., str]) -> None:
    with pytest.raises(ConfigurationError, match=r"customers holds no document that the filter selects"):
        reads(database.name)
    database.customers.insert_one(customer(1))

    assert f"reads {database.name}.customers, with snapshots" in reads(database.name)

    with pytest.raises(ConfigurationError, match=r"failed: .*\$nothing"):
        reads(database.name, filter={"$nothing": 1})
    with pytest.raises(ConfigurationError, match="MONGODB_URI is not set"):
        reads(database.name, uri="")
    with pytest.raises(ConfigurationError, match=r"ingestion.database or ingestion.collection"):
        reads(database.name, collection="a..b")
    with pytest.raises(PipelineError, match="does not answer") as away:
        reads(database.name, uri="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50")
    assert not isinstance(away.value, ConfigurationError)


@pytest.mark.slow
def test_mlflow_check_uses_the_experiment_of_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Project(tmp_path).git("init", "-q")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert "which the first run makes" in servers.use_mlflow()
    assert not (tmp_path / "mlflow.db").exists()
    client = mlflow.MlflowClient(uri)
    number = client.create_experiment("churn-pipeline")
    assert f"version {mlflow.__version__}, experiment churn-pipeline" in servers.use_mlflow()

    for name, value, message in (
        ("MLFLOW_EXPERIMENT_ID", "77", "MLflow has no experiment 77"),
        ("MLFLOW_REGISTRY_URI", "sqlite:///other.db", "MLFLOW_REGISTRY_URI is set"),
        ("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false", "forbids to load the registered models"),
        ("MLFLOW_TRACKING_URI", "./mlruns", "names a folder"),
        ("MLFLOW_TRACKING_URI", "htp://me:S3cret@host", "is no store: correct MLFLOW_TRACKING_URI"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with pytest.raises(ConfigurationError, match=message) as raised:
                servers.use_mlflow()
            assert "S3cret" not in str(raised.value)
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_EXPERIMENT_ID", number)
        patch.setenv("MLFLOW_EXPERIMENT_NAME", "another")
        with pytest.raises(ConfigurationError, match="unset one"):
            servers.use_mlflow()
    # For example another project's: no comparison with it is possible.
    client.create_registered_model("churn-pipeline")
    client.create_model_version("churn-pipeline", "somewhere")
    client.set_registered_model_alias("churn-pipeline", "champion", "1")
    with pytest.raises(ConfigurationError, match="the champion, version 1 of churn-pipeline, has no tag"):
        servers.use_mlflow()
    client.delete_experiment(number)
    with pytest.raises(ConfigurationError, match="was deleted in MLflow"):
        servers.use_mlflow()


def test_checkout_is_checked(ready: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project = ready
    monkeypatch.chdir(project.root)
    assert workspace.identity() == "commits on main"
    assert "free for the DVC cache" in workspace.dvc()
    assert workspace.packages() == "those of requirements.lock and, if installed, requirements-boosters.lock"

    (project.root / "requirements.lock").write_text("numpy==0.1\n")
    with pytest.raises(ConfigurationError, match=r"numpy .* in place of 0.1.*run 'make setup'"):
        workspace.packages()
    used = shutil.disk_usage(project.root)
    with monkeypatch.context() as patch:
        # Two copies on one disk
        patch.setattr(
            shutil, "disk_usage", lambda _: used._replace(free=workspace.artifacts_bytes() * 3 // 2)
        )
        with pytest.raises(PipelineError, match=r"no room: .* free for the workspace .*gc"):
            workspace.room()
    monkeypatch.setattr("operations.readiness.dvc_remote.writable", lambda _: False)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        workspace.room()
    project.git("checkout", "-q", "--detach")
    with pytest.raises(PipelineError, match="no branch is checked out"):
        workspace.identity()
