"""What a team shares: a Git remote, an S3 bucket and an MLflow server; and how a member starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from customers import customer
from mlflow_server import running_mlflow
from pipeline.registry import Registry
from project import Project
from s3 import BUCKET, KEYS, S3, running_s3

SMALL = {"training__hist_gradient_boosting__max_iter": 20, "evaluation__minimum": {"roc_auc": 0.6}}


@dataclass
class Team:
    """The servers, and the folder in which the members have their clones."""

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

    def spoil(self, md5: str, content: bytes | None) -> None:
        """Damage (or with None delete) the object of the bucket that has this md5."""
        key = f"dvc/files/md5/{md5[:2]}/{md5[2:]}"
        if content is None:
            self.s3.client().delete_object(Bucket=BUCKET, Key=key)
        else:
            self.s3.client().put_object(Bucket=BUCKET, Key=key, Body=content)


@contextmanager
def running_team(folder: Path, origin: Project) -> Iterator[Team]:
    """Run the team's servers; MLflow keeps its artifacts in the bucket too."""
    (folder / "mlflow").mkdir()
    origin.run("git", "clone", "-q", "--bare", str(origin.root), str(folder / "remote.git"))
    with running_s3(folder) as s3:
        store = KEYS | {"MLFLOW_S3_ENDPOINT_URL": s3.endpoint}
        with running_mlflow(folder / "mlflow", f"s3://{BUCKET}/mlflow", **store) as mlflow:
            yield Team(folder, s3, mlflow)


def registry(project: Project) -> Registry:
    """The registry as the project's commands see it, in this process: they take seconds each to start."""
    with pytest.MonkeyPatch.context() as patch:
        store = f"sqlite:///{project.root}/mlflow.db"
        patch.setenv("MLFLOW_TRACKING_URI", project.env.get("MLFLOW_TRACKING_URI", store))
        return Registry()


def models(project: Project) -> list[dict[str, Any]]:
    """What `pipeline models --json` tells."""
    return [version.summary() for version in registry(project).versions()]


def lineage(project: Project, version: int) -> dict[str, Any]:
    """What `pipeline lineage --json` tells of a version."""
    return registry(project).lineage(version)


def champion(project: Project) -> int | None:
    """The number of the champion."""
    found = registry(project).champion()
    return found.number if found else None


def publish_the_first(
    team: Team, database: Database[dict[str, Any]], uri: str, customers: int
) -> tuple[Project, str]:
    """A member's checkout with version 1, of so many customers; and the commit before it."""
    database.customers.insert_many([customer(number) for number in range(customers)])
    project = team.member("service")
    start = project.git("rev-parse", "HEAD").strip()
    project.read_from(uri, database.name)
    project.set(**SMALL)
    project.dvc("repro")
    project.run("pipeline", "publish")
    return project, start
