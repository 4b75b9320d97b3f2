"""The workflows call nothing that is untested, may do no more than they must, and do not start themselves."""

import re
from pathlib import Path

from project import ROOT
from workflows import FOLDER, PATHS, commands, steps, workflow

import pytest

REPORT = "tests/versions/test_report.py"
# Each command of a workflow, and what shows that it is exercised: the file, and the words in it.
EXERCISED = {
    "make lint": (".ci/run", "make lint"),
    "make test": (".ci/run", "make test"),
    # What these two do after setting up; the two above set up the same way.
    "make setup": ("Makefile", "setup: $(VENV)/.runtime"),
    "make repro": (
        "Makefile",
        "repro: $(VENV)/.runtime ## Set up, then run the stages whose inputs changed\n\t@dvc repro\n",
    ),
    # The commands of the report job run as they stand, one after the other.
    "git checkout --quiet --detach HEAD^1": (
        REPORT,
        'workflow("test.yml")["jobs"]["report"]',
    ),
    'git checkout --quiet --force "$GITHUB_SHA"': (REPORT, 'env["GITHUB_SHA"]'),
    ".venv/bin/pipeline report --base HEAD^1": (REPORT, '".venv/bin/pipeline"'),
    'cat report.md >> "$GITHUB_STEP_SUMMARY"': (
        REPORT,
        'env["GITHUB_STEP_SUMMARY"]',
    ),
    ".venv/bin/dvc remote default --local s3": (
        "tests/test_s3_remote.py",
        '"remote", "default", "--local", "s3"',
    ),
    ".venv/bin/pipeline retrain --keep-data": (
        "tests/scenarios/test_versions.py",
        '"pipeline", "retrain", "--keep-data"',
    ),
}
# The rights of each job; what a workflow grants to all of its jobs is nothing.
RIGHTS = {
    "test.yml": {"test": {"contents": "read"}, "report": {"contents": "read"}},
    "retrain.yml": {"retrain": {"contents": "write", "id-token": "write"}},
}
SECRETS = {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"}
PINNED = re.compile(r"^ *- uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")

every_workflow = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)


def test_there_are_these_two_and_each_has_the_rights_that_it_needs() -> None:
    found = {path.name: workflow(path.name) for path in FOLDER.iterdir()}

    assert {
        name: {job: content["permissions"] for job, content in each["jobs"].items()}
        for name, each in found.items()
    } == RIGHTS
    assert all(each["permissions"] == {} for each in found.values())


@every_workflow
def test_it_runs_nothing_but_what_tests_exercise(path: Path) -> None:
    lines = [line for job in workflow(path.name)["jobs"].values() for line in commands(job)]

    assert lines
    for line in lines:
        file, words = EXERCISED[line]
        assert words in (ROOT / file).read_text(), line


@every_workflow
def test_each_action_is_pinned_to_a_commit_and_names_its_version(path: Path) -> None:
    uses = [line for line in path.read_text().splitlines() if "uses:" in line]

    assert len(uses) == sum("uses" in step for step in steps(workflow(path.name)))
    assert [line for line in uses if not PINNED.match(line)] == []


@every_workflow
def test_no_run_is_cancelled_by_the_next(path: Path) -> None:
    assert workflow(path.name)["concurrency"]["cancel-in-progress"] is False
    assert path.read_text().count("cancel-in-progress") == 1


@every_workflow
def test_no_key_of_aws_is_stored(path: Path) -> None:
    text = path.read_text()

    assert not re.search(r"access[-_]key|session[-_]token", text.lower())
    # The secrets there are go to one command, not to an action of somebody else.
    assert set(re.findall(r"secrets\.(\w+)", text)) <= SECRETS
    assert all("secrets." not in str(step) or "run" in step for step in steps(workflow(path.name)))
    assert all("secrets." not in str(job.get("env")) for job in workflow(path.name)["jobs"].values())
    for step in steps(workflow(path.name)):
        if "configure-aws-credentials" in step.get("uses", ""):
            assert set(step["with"]) == {"role-to-assume", "aws-region", "role-duration-seconds"}


@pytest.mark.parametrize(("name", "job"), [("test.yml", "report"), ("retrain.yml", "retrain")])
def test_what_looks_into_the_history_has_all_of_it(name: str, job: str) -> None:
    checkout = workflow(name)["jobs"][job]["steps"][0]

    assert checkout["uses"].startswith("actions/checkout@")
    assert checkout["with"]["fetch-depth"] == 0


def test_a_pull_request_runs_with_no_rights_of_the_base_and_keeps_no_token() -> None:
    content = workflow("test.yml")

    assert content["on"] == "pull_request"
    checkouts = [step for step in steps(content) if "actions/checkout" in step.get("uses", "")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False, False]


def test_retraining_starts_on_main_for_what_changes_a_model_and_not_for_what_it_pushes() -> None:
    content = workflow("retrain.yml")

    assert set(content["on"]) == {"push", "workflow_dispatch"}
    assert content["on"]["push"] == {
        "branches": ["main"],
        "paths": ["src/**", "params.yaml", "dvc.yaml", "requirements.lock"],
    }
    assert content["concurrency"]["group"] == "retrain-${{ github.ref }}"
    job = content["jobs"]["retrain"]
    assert "github.ref == 'refs/heads/main'" in job["if"]
    # One that waited trains the tip, with what the one before it pushed; or its own push would be refused.
    assert job["steps"][0]["with"]["ref"] == "main"


def test_the_role_of_a_retrain_lasts_as_long_as_its_job() -> None:
    job = workflow("retrain.yml")["jobs"]["retrain"]
    (role,) = [step["with"] for step in job["steps"] if "role-to-assume" in step.get("with", {})]

    assert role["role-duration-seconds"] >= job["timeout-minutes"] * 60
