"""A refusal during a retrain loses no work, and a foreseeable one is reported before it starts."""

from project import Project
from refusing import refusing
from s3 import SECRET
from team import CUSTOMERS, Team

import mlflow
import pytest


@pytest.mark.long
def test_a_token_that_expires_during_training_loses_no_work(team: Team) -> None:
    project = team.project
    team.arrive(CUSTOMERS, CUSTOMERS + 100)
    before = team.refs()
    with refusing(team.s3.endpoint) as (endpoint, refusal):
        project.dvc("remote", "modify", "--local", "s3", "endpointurl", endpoint)
        refusal.status, refusal.code = 400, "ExpiredToken"
        # The token is refused from the first push of data on.
        refusal.when = lambda method, path: (
            bool(refusal.refused) or (method == "PUT" and "/files/md5/" in path)
        )

        failed = project.run("pipeline", "retrain", check=False)

        assert "Running stage 'training'" in failed.stdout
        assert failed.returncode == 2
        (line,) = [each for each in failed.stderr.splitlines() if each.startswith("pipeline: ")]
        assert f"s3 (s3://churn/dvc at {endpoint}) is refused by S3 (ExpiredToken): renew" in line
        assert "without training again" in line
        assert "waiting for" not in failed.stdout
        assert SECRET not in failed.stdout + failed.stderr
        assert team.refs() == before
        runs = evaluations(team)
        # The token is renewed
        refusal.when = lambda *_: False

        done = project.run("pipeline", "retrain")

    assert "version 2 is published" in done.stdout
    assert "Running stage 'training'" not in done.stdout
    assert evaluations(team) == runs


def evaluations(team: Team) -> int:
    """Return the number of runs in MLflow."""
    client = mlflow.MlflowClient(team.mlflow)
    return len(client.search_runs([each.experiment_id for each in client.search_experiments()]))


def test_origin_without_atomic_push_is_refused_first(ready: Project) -> None:
    ready.run("git", "clone", "-q", "--bare", str(ready.root), "../bare.git")
    ready.git("remote", "set-url", "origin", str(ready.root.with_name("bare.git")))
    Project(ready.root.with_name("bare.git")).git("config", "receive.advertiseAtomic", "false")
    # Given shared stores, since local versions are not pushed
    ready.dvc("remote", "modify", "--local", "local", "url", str(ready.root.with_name("shared-remote")))
    ready.env["MLFLOW_TRACKING_URI"] = f"sqlite:///{ready.root.with_name('shared.db')}"

    for command in ("publish", "retrain"):
        done = ready.run("pipeline", command, check=False)

        assert done.returncode == 2
        assert done.stderr.startswith("pipeline: origin accepts no atomic push")
        assert done.stderr.count("\n") == 1
        # A busy machine may print that a server is waited for; nothing else is printed.
        assert [line for line in done.stdout.splitlines() if not line.startswith("waiting for ")] == []
    assert ready.git("status", "--porcelain") == ""
    assert not ready.root.with_name("shared-remote").exists()


def test_parameters_of_evaluation_are_refused_first(ready: Project) -> None:
    ready.set(evaluation__slice_by=["contrakt"])
    ready.git("commit", "-qam", "A slice")

    done = ready.run("pipeline", "retrain", check=False)

    assert done.returncode == 2
    assert "evaluation.slice_by: contrakt is not a column of the schema" in done.stderr
    assert "Running stage" not in done.stdout
