"""The service, its job, the job's process and the stages are killed at many steps; outages; a full disk.

Nothing may be half done. `make kill-matrix` runs it and takes about an hour. `make test` kills the service
once, in test_new_data.py.
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from disk import after_mounting
from project import Project
from promises import check, check_whole
from proxy import Proxy, proxy
from served import Service, running_service
from team import CUSTOMERS, Team

import psutil
import pytest

STAGES = [f"Running stage '{name}'" for name in ("ingestion", "validation", "transformation", "training")]
PUBLISHING = [
    "Running stage 'evaluation'",
    "publishing: pushing the data",
    "publishing: commit",
    "publishing: registering",
    "publishing: comparing",
]
STEPS = ["preparing", *STAGES, *PUBLISHING]
# The process to kill, by a word of its command line, and when.
POINTS = {
    "the service": ("pipeline serve", STEPS),
    "its job": ("operations.service.job_process", STEPS),
    "the process in the worktree": ("operations.retraining", [STAGES[-1], *PUBLISHING]),
    "the stage": ("", [*STAGES, PUBLISHING[0]]),
}
NEW = 20
# The name of each server in messages.
NAMED = {"MongoDB": "mongodb", "S3": "remote", "MLflow": "mlflow", "Git": "git"}

pytestmark = pytest.mark.skipif(
    not os.environ.get("PIPELINE_KILL_MATRIX"), reason="an hour: make kill-matrix runs it"
)


@pytest.mark.parametrize("who", POINTS)
def test_kill_leaves_nothing_half_done(team: Team, who: str) -> None:
    word, steps = POINTS[who]
    moments = random.Random(who)
    with running_service(team.project) as service:
        for number, step in enumerate(steps):
            team.arrive(CUSTOMERS + NEW * number, CUSTOMERS + NEW * (number + 1))
            job = service.post().json()["id"]
            service.wait_for_step(job, step)
            time.sleep(moments.uniform(0, 0.7))
            if who == "the service":
                service.kill()
                check(team)
                service.start()
                service.wait_for_recovery()
            else:
                kill(service, word or f"src/{step.split(chr(39))[1]}.py")
            ended = service.until(job)
            print(f"{who} killed at {step}: {ended['state']}, {ended['error'] or ended['message']}")
            assert ended["state"] in {"failed", "interrupted", "succeeded"}, step
            check_next_request(team, service, CUSTOMERS + NEW * (number + 1))


def check_next_request(team: Team, service: Service, customers: int) -> None:
    """Check what must hold after any failure, and that the next request publishes everything."""
    check(team)
    check_whole(team)
    done = service.train()
    # A version pushed before the failure is finished; then there is nothing new.
    assert done["state"] in {"succeeded", "unchanged"}, done
    assert done["rows_read"] == customers
    check(team)
    check_whole(team)
    assert done["commit"] in (None, team.project.git("rev-parse", "HEAD").strip())


@dataclass
class Reached:
    """The team's project, which reaches each server through its own proxy."""

    project: Project
    proxies: dict[str, Proxy]


@pytest.fixture
def reached(team: Team) -> Iterator[Reached]:
    with ExitStack() as stack:

        def through(uri: str) -> tuple[str, Proxy]:
            return stack.enter_context(proxy(uri))

        project = team.project
        project.env["MONGODB_URI"], mongodb = through(team.uri)
        project.env["MLFLOW_TRACKING_URI"], mlflow = through(team.mlflow)
        endpoint, s3 = through(team.s3.endpoint)
        project.dvc("remote", "modify", "--local", "s3", "endpointurl", endpoint)
        url, git = through(team.url)
        project.git("remote", "set-url", "origin", url)
        yield Reached(project, {"MongoDB": mongodb, "S3": s3, "MLflow": mlflow, "Git": git})


@pytest.mark.parametrize("server", NAMED)
def test_short_outage_is_waited_for(team: Team, reached: Reached, server: str) -> None:
    away = reached.proxies[server].away
    with running_service(reached.project) as service:
        for number, step in enumerate(STEPS):
            team.arrive(CUSTOMERS + NEW * number, CUSTOMERS + NEW * (number + 1))
            job = service.post().json()["id"]
            service.wait_for_step(job, step)
            away.set()
            time.sleep(8)
            away.clear()
            ended = service.until(job)
            print(f"{server} away at {step}: {ended['state']}, {ended['error'] or ended['message']}")
            assert "\n" not in (ended["error"] or "")
            check(team)
            done = service.train()
            assert done["state"] in {"succeeded", "unchanged"}, (step, done)
            assert done["rows_read"] == CUSTOMERS + NEW * (number + 1)
            check_whole(team)


@pytest.mark.parametrize("server", NAMED)
def test_long_outage_is_one_line_and_changes_nothing(team: Team, reached: Reached, server: str) -> None:
    before, objects = (team.refs(), reached.project.digests()), team.s3.objects()
    team.arrive(CUSTOMERS, CUSTOMERS + NEW)
    with running_service(reached.project) as service:
        for step in ("preparing", STAGES[1]):
            job = service.post().json()["id"]
            service.wait_for_step(job, step)
            reached.proxies[server].away.set()
            ended = service.until(job)
            reached.proxies[server].away.clear()
            print(f"{server} gone at {step}: {ended['state']}, {ended['error'] or ended['message']}")
            if server == "MongoDB" and step != "preparing":
                # Everything was read before.
                assert ended["state"] == "succeeded"
                continue
            assert ended["state"] == "failed"
            assert "\n" not in ended["error"]
            assert NAMED[server] in ended["error"]
            assert (team.refs(), reached.project.digests()) == before
            # What was pushed for a commit that never came is named by nothing: `pipeline gc` takes it.
            assert objects.items() <= team.s3.objects().items()
            check_whole(team)


def small_disk(project: Project, place: str, size: str) -> tuple[str, ...]:
    """Return the prefix of a command that mounts a disk of this size at `place` of a checkout."""
    disk = project.root.with_name("disk")
    disk.mkdir(exist_ok=True)
    return after_mounting(
        f"mount -t tmpfs -o size={size} tmpfs {disk} && cp -a {project.root}/{place}/. {disk}/ && "
        f"mount --bind {disk} {project.root}/{place}"
    )


@pytest.mark.parametrize(
    ("place", "size"),
    [(".dvc/tmp", "1m"), (".dvc/tmp", "4m"), (".dvc/tmp", "5m"), (".dvc/tmp", "6m"), (".dvc/cache", "1m")],
)
def test_full_disk_changes_nothing(team: Team, place: str, size: str) -> None:
    project = team.project
    (project.root / place).mkdir(exist_ok=True)
    before, objects = (team.refs(), project.digests()), team.s3.objects()
    team.arrive(CUSTOMERS, 40_000)

    failed = project.run(*small_disk(project, place, size), "pipeline", "retrain", check=False)

    print(f"{place} of {size}: {failed.stderr.splitlines()[-1:]}")
    assert failed.returncode == 1, failed.stderr
    assert "Traceback" not in failed.stderr
    # If even the worktree cannot be created, Git does not name the cause.
    causes = ("no room", "No space left", "disk is full", "disk I/O error", "pipeline: git worktree: ")
    assert any(each in failed.stderr for each in causes), failed.stderr
    check(team)
    check_whole(team)
    assert (team.refs(), project.digests()) == before
    # What was pushed for a commit that never came is named by nothing: `pipeline gc` takes it.
    assert objects.items() <= team.s3.objects().items()
    assert "version 2 is published" in project.run("pipeline", "retrain").stdout


def kill(service: Service, who: str) -> None:
    """Send SIGKILL; ignore processes that have ended."""
    for process in psutil.Process(service.process.pid).children(recursive=True):
        try:
            if who in process.cmdline():
                process.kill()
        except psutil.Error:
            continue
