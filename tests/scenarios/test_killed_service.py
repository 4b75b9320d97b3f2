"""The service, its job, and the stages killed by SIGKILL all over the flow: each time promise 5 holds.

`make test` tries some of the points, `make kill-matrix` all of them.
"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pymongo.database import Database

from customers import customer
from project import Project
from promises import check, check_whole
from served import Service, running_service
from team import SMALL, Team, champion, running_team

STEPS = (
    "preparing",
    "Running stage 'ingestion'",
    "Running stage 'validation'",
    "Running stage 'transformation'",
    "Running stage 'training'",
    "Running stage 'evaluation'",
    "publishing: pushing the data",
    "publishing: pushing the commit",
    "publishing: registering",
    "publishing: comparing",
)
# Who is killed: the service, the process of its job, that job's process in the worktree, or a stage.
POINTS = [
    *(("service", step) for step in STEPS),
    *(("pipeline.service.job", step) for step in STEPS),
    *(("pipeline.retraining", step) for step in STEPS[4:]),
    *((f"pipeline.{step.split(chr(39))[1]}", step) for step in STEPS[1:6]),
]
SOME = [("service", STEPS[4]), ("pipeline.service.job", STEPS[8]), ("pipeline.training", STEPS[4])]
CHOSEN = POINTS if os.environ.get("PIPELINE_ALL_POINTS") else SOME


@pytest.fixture
def team(tmp_path: Path, origin: Project) -> Iterator[Team]:
    with running_team(tmp_path, origin) as team:
        yield team


def test_whoever_is_killed_and_when_nothing_is_half_done(
    team: Team, database: Database[dict[str, Any]], mongo_uri: str
) -> None:
    database.customers.insert_many([customer(number) for number in range(1000)])
    project = team.member("service")
    start = project.git("rev-parse", "HEAD").strip()
    project.read_from(mongo_uri, database.name)
    project.set(**SMALL)
    project.dvc("repro")
    project.run("pipeline", "publish")
    delays = random.Random(0)
    with running_service(project) as service:
        for number, (who, step) in enumerate(CHOSEN):
            arrivals = range(1000 + 20 * number, 1020 + 20 * number)
            database.customers.insert_many([customer(each) for each in arrivals])
            published = champion(project)
            job = service.post().json()["id"]
            wait_for_step(service, job, step)
            time.sleep(delays.uniform(0, 0.7))
            kill(service, who)
            if who == "service":
                check(team, project, start)
                service.start()
                wait_for_recovery(service)
            ended = service.until(job)
            print(f"{who} killed at {step}: {ended['state']}, {ended['error'] or ended['message']}")
            assert ended["state"] in {"failed", "interrupted", "succeeded"}, (who, step)
            check(team, project, start)
            check_whole(team, project)
            done = service.train()
            # What was pushed when it was killed is finished; then there is nothing new.
            assert done["state"] in {"succeeded", "unchanged"}, (who, step, done)
            assert done["rows_read"] == arrivals.stop
            check(team, project, start)
            check_whole(team, project)
            assert published is not None
            assert done["commit"] == project.git("rev-parse", "HEAD").strip()


def wait_for_step(service: Service, job: str, step: str) -> None:
    """Wait until the log of the job tells of a step."""
    log = service.project.root / f"jobs/{job}/log.txt"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = log.read_text(errors="replace") if log.exists() else ""
        if step in found or (step == "preparing" and log.exists()):
            return
        if service.job(job)["state"] not in {"queued", "running"}:
            return
        time.sleep(0.02)
    raise AssertionError(f"the job does not get to {step}")


def kill(service: Service, who: str) -> None:
    """Kill by SIGKILL; whoever is gone already is left in peace."""
    if who == "service":
        service.kill()
        return
    for process in psutil.Process(service.process.pid).children(recursive=True):
        try:
            if who in process.cmdline():
                process.kill()
        except psutil.Error:
            continue


def wait_for_recovery(service: Service) -> None:
    """Wait until the service has cleaned up after its predecessor."""
    end = service.project.root / "jobs/recovery/end.json"
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if end.exists() and end.stat().st_mtime > psutil.Process(service.process.pid).create_time():
            return
        time.sleep(0.1)
    raise AssertionError("the service does not recover")
