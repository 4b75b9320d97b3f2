"""The runner, with a script of one second in place of a retrain."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from operations.service.job_process import Recovered
from operations.service.job_store import ACTIVE, Job, Jobs, TrainRequest
from operations.service.runner import Runner

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """#!/bin/sh
# Called as: python -m operations.service.job_process WORDS RESULT PARENT
if [ "$3" = recover ]; then
    sleep 0.5
    echo '{"commits": {}}' > "$4"
else
    # A line may be seen before it is whole.
    printf "Running stage 'trai"
    sleep 0.5
    echo "ning':"
    sleep 0.5
    echo "publishing: pushing the data"
    sleep 0.5
    echo "Running stage 'evaluation':"
    sleep 0.5
    echo "publishing: pushing the data"
    sleep 0.5
    echo '{"state": "unchanged", "message": "nothing changed"}' > "$4"
fi
"""


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    script = tmp_path / "python"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(script))
    runner = Runner(Jobs(tmp_path / "jobs.sqlite"), tmp_path)
    yield runner
    # A job must not outlive the script: the next one would be a real retrain.
    runner.stop()


def ended(runner: Runner, job: Job) -> Job:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = runner.jobs.get(job.id)
        assert found
        if found.state not in ACTIVE:
            return found
        time.sleep(0.05)
    raise AssertionError(f"it does not end: {found}")


def start(runner: Runner) -> Job:
    job, _ = runner.jobs.create(TrainRequest(), None)
    runner.start(job)
    return job


def test_job_runs_beside_the_recovery(runner: Runner) -> None:
    runner.recover()
    time.sleep(0.2)
    job = ended(runner, start(runner))

    assert (job.state, job.message) == ("unchanged", "nothing changed")


@pytest.mark.parametrize(
    ("end", "state"),
    [
        ('{"state": "succeeded", "message": "version 2 is published", "version": 2}', "succeeded"),
        ('{"error": "stopped by SIGTERM", "exit_code": 143}', "interrupted"),
        ('{"error": "validation: too few rows", "exit_code": 1}', "failed"),
        ("", "interrupted"),
        (None, "interrupted"),
    ],
)
def test_job_of_a_killed_service_is_interrupted(runner: Runner, end: str | None, state: str) -> None:
    job, _ = runner.jobs.create(TrainRequest(), None)
    runner.log(job.id).parent.mkdir()
    if end is not None:
        runner.log(job.id).with_name("end.json").write_text(end)

    runner.recover()
    runner.stop()

    found = runner.jobs.get(job.id)
    assert found
    assert (found.state, found.model_version) == (state, 2 if state == "succeeded" else None)
    assert bool(found.error) == (state != "succeeded")


@pytest.mark.parametrize(
    ("log", "version"),
    [
        ("publishing: pushing the data\npublishing: commit c0ffee and its tag model-v2\n", 2),
        # The same recovery finished another clone's version too, or that one alone.
        ("publishing: pushing the data\npublishing: commit abad1dea and its tag model-v2\n", None),
        ("publishing: pushing the data\n", None),
        (None, None),
    ],
)
def test_recovered_version_belongs_to_its_job(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, log: str | None, version: int | None
) -> None:
    job, _ = runner.jobs.create(TrainRequest(), None)
    if log is not None:
        runner.log(job.id).parent.mkdir()
        runner.log(job.id).write_text(log)
    monkeypatch.setattr(runner, "_run", lambda *_: Recovered(commits={2: "c0ffee", 3: "decade"}))

    runner.recover()
    # Recovery runs in the background, in order.
    runner._worker.submit(int).result()

    found = runner.jobs.get(job.id)
    assert found
    assert (found.state, found.model_version) == ("interrupted", version)


def test_damaged_store_is_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    jobs = Jobs(path)
    for number in range(100):
        job, _ = jobs.create(TrainRequest(), f"{number}")
        jobs.update(job.id, state="failed", error="x" * 500)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[3 * 4096 : 13 * 4096] = b"\xff" * (10 * 4096)
    path.write_bytes(content)

    with pytest.raises(sqlite3.DatabaseError):
        Jobs(path)


def test_step_times_add_up(runner: Runner) -> None:
    job = ended(runner, start(runner))

    assert job.started_at
    assert job.finished_at
    assert set(job.seconds) - {"preparing"} == {"training", "publishing", "evaluation"}
    assert sum(job.seconds.values()) == pytest.approx(
        (job.finished_at - job.started_at).total_seconds(), abs=0.2
    )
    # The step ran twice.
    assert job.seconds["publishing"] > job.seconds["evaluation"]


def test_job_that_cannot_start_has_failed(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    job = ended(runner, start(runner))

    assert job.state == "failed"
    assert start(runner).id != job.id
