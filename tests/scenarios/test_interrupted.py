"""A publication that is killed at any step: nothing is half-published, and the next one finishes it."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from killing import STEPS
from operations.versions.version import REGISTERED
from pipeline.tracking.mlflow_store import PROJECT
from promises import check
from s3 import BUCKET
from team import Team, champion, registry

import pytest

HERE = Path(__file__).resolve().parents[1] / "helpers"


class Candidate:
    """A second version that is ready to publish; `reset` makes it ready again."""

    def __init__(self, team: Team, kill: Callable[[str], int]) -> None:
        self.team, self.project, self.remote, self.kill = team, team.project, team.remote, kill
        project = team.project
        self.head = project.git("rev-parse", "HEAD").strip()
        self.lock = (project.root / "dvc.lock").read_bytes()
        self.params = project.params.read_bytes()
        self.objects = set(team.s3.objects())

    def reset(self) -> None:
        """Restore Git, S3 and MLflow to the state before the publication."""
        self.project.git("reset", "-q", "--hard", self.head)
        (self.project.root / "dvc.lock").write_bytes(self.lock)
        self.project.params.write_bytes(self.params)
        self.project.run("git", "tag", "--delete", "model-v2", check=False)
        self.remote.run("git", "update-ref", "-d", "refs/tags/model-v2", check=False)
        self.remote.git("update-ref", "refs/heads/main", self.head)
        for key in set(self.team.s3.objects()) - self.objects:
            self.team.s3.client().delete_object(Bucket=BUCKET, Key=key)
        registry(self.project).make_champion(1)
        # MLflow itself never assigns the number again.
        with closing(sqlite3.connect(self.team.servers.store)) as store, store:
            store.execute("DELETE FROM model_version_tags WHERE version > 1")
            store.execute("DELETE FROM model_versions WHERE version > 1")
            store.execute(f"DELETE FROM tags WHERE key = '{REGISTERED}model-v2'")

    def state(self) -> dict[str, Any]:
        """Return what is published, without the times and ids that differ each time."""
        tags = ("data.raw.md5", "model.md5", "git.tag", "promotion", "promoted")
        refs = self.remote.git("for-each-ref", "--format=%(refname)").split()
        return {
            "refs": {ref: self.remote.git("rev-parse", f"{ref}^{{tree}}") for ref in refs},
            "objects": {key for key in self.team.s3.objects() if key.startswith("dvc/")},
            "versions": [
                {name: version.tags.get(name) for name in tags} | {"champion": version.champion}
                for version in registry(self.project).versions()
            ],
            "workspace": self.project.git("status", "--porcelain"),
        }

    def check(self) -> None:
        """Check what must hold at any time on the servers."""
        check(self.team)


@pytest.fixture
def candidate(team: Team) -> Iterator[Candidate]:
    project = team.project
    project.set(training__hist_gradient_boosting__learning_rate=0.08)
    project.dvc("repro")
    with subprocess.Popen(
        [sys.executable, HERE / "killing.py"],
        cwd=project.root,
        env=project.env | {"PYTHONPATH": f"src:{HERE}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        wants, answers = process.stdin, process.stdout

        def kill(point: str) -> int:
            wants.write(f"{point}\n")
            wants.flush()
            return int(answers.readline())

        yield Candidate(team, kill)
        wants.close()


def test_next_publication_finishes_a_killed_one(candidate: Candidate) -> None:
    # Given the result of an uninterrupted publication
    assert candidate.kill("never") == 0
    candidate.check()
    whole = candidate.state()
    assert [version["champion"] for version in whole["versions"]] == [False, True]

    # Then each killed attempt leaves a valid state, from which the next one continues
    candidate.reset()
    for point in [*(f"before {step}" for step in STEPS), f"after {STEPS[-1]}"]:
        assert candidate.kill(point) == -9, point
        candidate.check()
    assert candidate.kill("never") == 0
    candidate.check()
    assert candidate.state() == whole

    # And after a manual version was deleted in MLflow, which assigns no number twice
    candidate.reset()
    mlflow = registry(candidate.project).client
    mlflow.create_model_version(PROJECT, "s3://elsewhere/model")
    mlflow.delete_model_version(PROJECT, "2")
    assert candidate.kill("after register") == -9
    assert candidate.kill("never") == 0
    candidate.check()
    assert {"model-v1", "model-v3"} == candidate.team.tags()
    assert champion(candidate.project) == 3

    # And a complete version that was deleted stays deleted: the same model becomes a new version
    for deleted in ("3", "4"):
        mlflow.delete_model_version(PROJECT, deleted)
        assert candidate.kill("never") == 0
    assert {"model-v1", "model-v3", "model-v4", "model-v5"} == candidate.team.tags()
    assert [version.number for version in registry(candidate.project).versions()] == [1, 5]
    assert champion(candidate.project) == 5
