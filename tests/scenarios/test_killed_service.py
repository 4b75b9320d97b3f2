"""The service, its job, and the stages killed by SIGKILL all over the flow: each time promise 5 holds.

It takes an hour: `make kill-matrix` runs it. `make test` kills the service once, in test_new_data.py.
"""

import os
import random
import time
from typing import Any

import psutil
import pytest
from pymongo.database import Database

from customers import customer
from promises import check, check_whole
from proxy import proxy
from served import Service, running_service
from team import Team, publish_the_first

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


pytestmark = pytest.mark.skipif(
    not os.environ.get("PIPELINE_KILL_MATRIX"), reason="an hour: make kill-matrix runs it"
)


def test_whoever_is_killed_and_when_nothing_is_half_done(
    team: Team, database: Database[dict[str, Any]], mongo_uri: str
) -> None:
    project, start = publish_the_first(team, database, mongo_uri, 1000)
    delays = random.Random(0)
    with running_service(project) as service:
        for number, (who, step) in enumerate(POINTS):
            arrivals = range(1000 + 20 * number, 1020 + 20 * number)
            database.customers.insert_many([customer(each) for each in arrivals])
            job = service.post().json()["id"]
            service.wait_for_step(job, step)
            time.sleep(delays.uniform(0, 0.7))
            kill(service, who)
            if who == "service":
                check(team, project, start)
                service.start()
                service.wait_for_recovery()
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
            assert done["commit"] == project.git("rev-parse", "HEAD").strip()


def test_a_server_that_goes_away_for_a_while_is_waited_for(
    team: Team, database: Database[dict[str, Any]], mongo_uri: str
) -> None:
    project, start = publish_the_first(team, database, mongo_uri, 1000)
    with (
        proxy(mongo_uri) as (mongo, to_mongo),
        proxy(team.s3.endpoint) as (s3, to_s3),
        proxy(team.mlflow) as (mlflow, to_mlflow),
    ):
        project.env |= {"MONGODB_URI": mongo, "MLFLOW_TRACKING_URI": mlflow}
        project.dvc("remote", "modify", "--local", "s3", "endpointurl", s3)
        with running_service(project) as service:
            number = 1000
            for server in (to_mongo, to_s3, to_mlflow):
                for step in ("preparing", *STEPS[1:9:2]):
                    database.customers.insert_many([customer(each) for each in range(number, number + 20)])
                    number += 20
                    job = service.post().json()["id"]
                    service.wait_for_step(job, step)
                    server.away.set()
                    time.sleep(8)
                    server.away.clear()
                    ended = service.until(job)
                    print(f"{server.server} away at {step}: {ended['state']}, {ended['error']}")
                    assert "\n" not in (ended["error"] or "")
                    check(team, project, start)
                    done = service.train()
                    assert done["state"] in {"succeeded", "unchanged"}, done
                    check_whole(team, project)


def test_where_nothing_more_can_be_written_everything_stays(
    team: Team, database: Database[dict[str, Any]], mongo_uri: str
) -> None:
    project, start = publish_the_first(team, database, mongo_uri, 1000)
    before = team.refs(), team.s3.objects(), project.digests()
    database.customers.insert_many([customer(number) for number in range(1000, 12_000)])

    # A limit to the size of a file fails as a full disk does: a write is refused half-way.
    for blocks in (100, 400):
        failed = project.run("sh", "-c", f"ulimit -f {blocks}; exec pipeline retrain", check=False)

        assert failed.returncode == 1, failed.stderr
        assert "Traceback" not in failed.stderr
        check(team, project, start)
        check_whole(team, project)
        assert (team.refs(), team.s3.objects(), project.digests()) == before
    assert "version 2 is published" in project.run("pipeline", "retrain").stdout


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
