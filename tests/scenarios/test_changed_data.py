"""A source that lost customers: the retrain stops before training, or publishes a version that is held."""

from pathlib import Path
from typing import Any

from project import Project, ran
from promises import check, check_whole
from team import Team, champion, lineage, models


def test_a_shrunken_source_makes_no_champion(team: Team) -> None:
    project = team.project
    on_change(project, "stop")
    team.database.customers.delete_many({"_id": {"$gte": "T-0001000"}})
    before = state(team)

    stopped = project.run("pipeline", "retrain", check=False)

    assert stopped.returncode == 1
    assert ran(stopped.stdout) == ["ingestion", "validation"]
    change = "the data differs from that of version 1: rows: 1,000 vs 1,200, 16.7 % fewer, more than "
    last = stopped.stderr.splitlines()[-1]
    assert f"validation: {change}validation.max_shrink 0.1; stopped before training" in last
    # What it found is kept, and nothing else has changed.
    kept = Path(last.rpartition(" ")[2])
    assert Project(kept).json("validation.json")["accepted"] == 1000
    assert state(team) == before

    on_change(project, "hold")
    done = project.run("pipeline", "retrain")

    assert f"version 2 is published; not promoted: {change}validation.max_shrink 0.1; if " in done.stdout
    decision = lineage(project, 2)["decision"]
    assert not decision["promoted"]
    assert decision["reason"].startswith(change)
    assert champion(project) == 1
    check(team)
    check_whole(team)


def on_change(project: Project, value: str) -> None:
    """Commit and push what changed data does."""
    project.set(validation__on_change=value)
    project.git("commit", "-qam", f"Changed data: {value}")
    project.git("push", "-q")


def state(team: Team) -> list[Any]:
    """Everything that a failed retrain must leave as it was."""
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
