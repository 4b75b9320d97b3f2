"""A source that lost customers: the retrain stops before training. (test_month.py tests `hold`.)"""

from pathlib import Path
from typing import Any

from project import Project, ran
from team import Team, champion, models

import pytest


@pytest.mark.long
def test_a_shrunken_source_stops_the_retrain(team: Team) -> None:
    project = team.project
    project.set(validation__on_change="stop")
    project.git("commit", "-qam", "Stop on changed data")
    project.git("push", "-q")
    team.database.customers.delete_many({"_id": {"$gte": "T-0001000"}})
    before = state(team)

    stopped = project.run("pipeline", "retrain", check=False)

    assert stopped.returncode == 1
    assert ran(stopped.stdout) == ["ingestion", "validation"]
    change = "the data differs from that of version 1: rows: 1,000 vs 1,200, 16.7 % fewer, more than "
    last = stopped.stderr.splitlines()[-1]
    assert f"validation: {change}validation.max_shrink 0.1; stopped before training" in last
    # The findings are kept, and nothing else has changed.
    kept = Path(last.rpartition(" ")[2])
    assert Project(kept).json("validation.json")["accepted"] == 1000
    assert state(team) == before


def state(team: Team) -> list[Any]:
    """Return everything that a failed retrain must leave unchanged."""
    project = team.project
    lock = (project.root / "dvc.lock").read_bytes()
    return [
        team.refs(),
        project.git("for-each-ref", "refs/heads", "refs/tags"),
        project.git("status", "--porcelain"),
        lock,
        project.digests(),
        team.s3.objects(),
        models(project),
        champion(project),
    ]
