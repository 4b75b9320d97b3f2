"""The workflows hold no key and do not start themselves; `make lint` checks their rights and actions."""

import re
from pathlib import Path

from project import ROOT
from workflows import PATHS, commands, steps, workflow

import pytest

SECRETS = {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"}

every_workflow = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)


@every_workflow
def test_make_targets_of_the_workflows_exist(path: Path) -> None:
    lines = [line for job in workflow(path.name)["jobs"].values() for line in commands(job)]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert {line.split()[1] for line in lines if line.startswith("make ")} <= targets


@every_workflow
def test_runs_are_not_cancelled(path: Path) -> None:
    assert workflow(path.name)["concurrency"]["cancel-in-progress"] is False
    assert path.read_text().count("cancel-in-progress") == 1


@every_workflow
def test_no_key_of_aws_is_stored(path: Path) -> None:
    text = path.read_text()

    assert not re.search(r"access[-_]key|session[-_]token", text.lower())
    # Secrets go to one command, never to a third-party action.
    assert set(re.findall(r"secrets\.(\w+)", text)) <= SECRETS
    assert all("secrets." not in str(step) or "run" in step for step in steps(workflow(path.name)))
    assert all("secrets." not in str(job.get("env")) for job in workflow(path.name)["jobs"].values())


@pytest.mark.parametrize(("name", "job"), [("test.yml", "report"), ("retrain.yml", "retrain")])
def test_jobs_that_need_the_history_fetch_it(name: str, job: str) -> None:
    checkout = workflow(name)["jobs"][job]["steps"][0]

    assert checkout["uses"].startswith("actions/checkout@")
    assert checkout["with"]["fetch-depth"] == 0


def test_retraining_workflow_triggers() -> None:
    content = workflow("retrain.yml")

    assert set(content["on"]) == {"push", "workflow_dispatch"}
    assert content["on"]["push"]["branches"] == ["main"]
    assert {"src/**", "params.yaml"} <= set(content["on"]["push"]["paths"])
    assert "dvc.lock" not in content["on"]["push"]["paths"]
    assert content["concurrency"]["group"] == "retrain-${{ github.ref }}"
    job = content["jobs"]["retrain"]
    assert "github.ref == 'refs/heads/main'" in job["if"]
    # A waiting run must train the tip with the previous run's push, or its own push is refused.
    assert job["steps"][0]["with"]["ref"] == "main"


def test_role_lasts_as_long_as_the_job() -> None:
    job = workflow("retrain.yml")["jobs"]["retrain"]
    (role,) = [step["with"] for step in job["steps"] if "role-to-assume" in step.get("with", {})]

    assert role["role-duration-seconds"] >= job["timeout-minutes"] * 60
