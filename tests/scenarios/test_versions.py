"""Situations A and C, and promotion: on a real Git remote, an S3 server and an MLflow server."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlflow_server import running_mlflow
from project import Project, ran
from s3 import BUCKET, S3, running_s3

SMALL = {"training__hist_gradient_boosting__max_iter": 40, "evaluation__minimum": {"roc_auc": 0.6}}


@dataclass
class Team:
    """What a team shares: a Git remote, an S3 bucket and an MLflow server; and how a member starts."""

    folder: Path
    s3: S3
    mlflow: str

    def member(self, name: str) -> Project:
        """Clone the repository and point it at the team's servers, by settings that Git does not track."""
        root = self.folder / name
        Project(self.folder).run("git", "clone", "-q", str(self.folder / "remote.git"), str(root))
        project = Project(root)
        project.env["MLFLOW_TRACKING_URI"] = self.mlflow
        self.s3.use(project)
        return project

    def refs(self) -> str:
        """What the Git remote holds."""
        return Project(self.folder / "remote.git").git("for-each-ref")


@pytest.fixture
def team(tmp_path: Path, origin: Project) -> Iterator[Team]:
    (tmp_path / "mlflow").mkdir()
    origin.run("git", "clone", "-q", "--bare", str(origin.root), str(tmp_path / "remote.git"))
    with running_s3(tmp_path) as s3, running_mlflow(tmp_path / "mlflow") as mlflow:
        yield Team(tmp_path, s3, mlflow)


def first_version(team: Team) -> Project:
    """Publish version 1, of a small model, from a clone."""
    project = team.member("first")
    project.set(**SMALL)
    project.dvc("repro")
    project.run("pipeline", "publish")
    return project


def models(project: Project) -> list[dict[str, Any]]:
    return json.loads(project.run("pipeline", "models", "--json").stdout)


@pytest.fixture
def spoil(team: Team) -> Callable[[str, bytes | None], str]:
    """A function that damages (or with None deletes) an object of the bucket, found by its md5."""

    def damage(md5: str, content: bytes | None) -> str:
        key = f"dvc/files/md5/{md5[:2]}/{md5[2:]}"
        if content is None:
            team.s3.client().delete_object(Bucket=BUCKET, Key=key)
        else:
            team.s3.client().put_object(Bucket=BUCKET, Key=key, Body=content)
        return md5

    return damage


def test_versions_are_published_compared_pulled_and_brought_back(
    team: Team, spoil: Callable[[str, bytes | None], str]
) -> None:
    # Given version 1, which publishing again does not change
    first = first_version(team)
    before = team.refs(), models(first), team.s3.objects()
    assert "version 1 holds this model already" in first.run("pipeline", "publish").stdout
    assert (team.refs(), models(first), team.s3.objects()) == before
    of_version_1 = first.digests()

    # A. Somebody pushes a new learning rate; CI retrains in a clone with nothing in its cache:
    # training and evaluation alone, and version 2 is published
    first.set(training__hist_gradient_boosting__learning_rate=0.07)
    first.git("commit", "-qam", "A new learning rate")
    first.git("push", "-q")
    ci = team.member("ci")
    done = ci.run("pipeline", "retrain", "--keep-data")
    assert ran(done.stdout) == ["training", "evaluation"]
    assert "version 2 is published; champion" in done.stdout
    assert not (ci.root / ".sample-mongodb").exists()
    one, two = models(ci)
    assert (one["champion"], two["champion"]) == (False, True)
    assert one["data"] == two["data"]
    assert two["commit"] == ci.git("rev-parse", "model-v2^{commit}").strip()

    # A worse model is published, and not promoted
    ci.set(training__hist_gradient_boosting__max_iter=1, evaluation__minimum={"roc_auc": 0.5})
    ci.dvc("repro")
    done = ci.run("pipeline", "publish")
    assert "version 3 is published; not promoted: ROC AUC may be" in done.stdout
    assert [model["champion"] for model in models(ci)] == [False, True, False]
    decision = json.loads(ci.run("pipeline", "lineage", "3", "--json").stdout)["decision"]
    assert decision["champion"] == 2
    assert decision["difference_5_percent"] < -0.01

    # C. A third clone brings each version back bit for bit
    ci.git("checkout", "-q", "model-v2")
    ci.dvc("checkout")
    third = team.member("third")
    for tag, expected in (("model-v2", ci.digests()), ("model-v1", of_version_1)):
        third.git("checkout", "-q", tag)
        third.dvc("pull")
        assert third.digests() == expected

    # A rollback is refused by the name of the object that is damaged or missing, and changes nothing
    model = third.root / "artifacts/model/model.joblib"
    good, md5 = model.read_bytes(), hashlib.md5(model.read_bytes()).hexdigest()
    for content in (b"damaged", None):
        spoil(md5, content)
        refused = third.run("pipeline", "rollback", "1", "--reason", "it is bad", check=False)
        assert refused.returncode == 1
        assert md5 in refused.stderr.splitlines()[-1]
        assert [entry["champion"] for entry in models(third)] == [False, True, False]

    # and with all of it there, back it goes, and forward again
    spoil(md5, good)
    done = third.run("pipeline", "rollback", "1", "--reason", "version 2 is bad")
    assert "version 1 is champion, in place of version 2" in done.stdout
    assert [entry["champion"] for entry in models(third)] == [True, False, False]
    tags = json.loads(third.run("pipeline", "lineage", "1", "--json").stdout)["tags"]
    assert json.loads(tags["rollback"])["reason"] == "version 2 is bad"
    third.run("pipeline", "rollback", "2", "--reason", "it was not")
    assert [entry["champion"] for entry in models(third)] == [False, True, False]
    assert third.git("worktree", "list").count("\n") == 1


def test_a_publication_that_is_refused_or_killed_leaves_nothing_half_done(team: Team) -> None:
    # Given a remote that accepts the push, upon which the publisher is killed
    first = team.member("first")
    first.set(**SMALL)
    first.dvc("repro")
    hook = team.folder / "remote.git/hooks/post-receive"
    hook.write_text("#!/bin/sh\nkill -9 $(cat ../publisher.pid)\n")
    hook.chmod(0o755)
    script = f"echo $$ > {team.folder}/publisher.pid; exec pipeline publish"
    killed = first.run("sh", "-c", script, check=False)
    hook.unlink()
    assert killed.returncode != 0
    assert "model-v1" in team.refs()
    assert models(first) == []

    # Then the next run registers what was pushed, under the number that it was pushed with
    assert "version 1" in first.run("pipeline", "publish").stdout
    (version,) = models(first)
    assert version["champion"]
    assert version["commit"] == first.git("rev-parse", "model-v1^{commit}").strip()
    assert "model-v2" not in team.refs()

    # CI does not read the source unless it is told to
    ci = team.member("ci")
    ci.set(ingestion__rows_per_part=3000)
    refused = ci.run("pipeline", "retrain", "--keep-data", check=False)
    assert refused.returncode == 1
    assert "--read-source" in refused.stderr
    ci.git("checkout", "-q", "params.yaml")

    # What is not committed is not published
    (ci.root / "src/pipeline/cli.py").open("a").write("# changed\n")
    refused = ci.run("pipeline", "publish", check=False)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("pipeline: not committed: src/pipeline/cli.py: ")
    ci.git("checkout", "-q", "src")

    # and of two that publish at once, the slower is told, and nothing of it is left
    ci.set(training__hist_gradient_boosting__learning_rate=0.06)
    ci.dvc("repro")
    head = ci.git("rev-parse", "HEAD")
    first.set(training__hist_gradient_boosting__learning_rate=0.05)
    first.dvc("repro")
    first.run("pipeline", "publish")
    refused = ci.run("pipeline", "publish", check=False)
    assert refused.returncode == 1
    assert "git pull" in refused.stderr.splitlines()[-1]
    assert ci.git("rev-parse", "HEAD") == head
    assert "model-v2" not in ci.git("tag", "--list")
    assert len(models(ci)) == 2
