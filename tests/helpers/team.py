"""A team: its shared Git, S3, MLflow and MongoDB servers, and the clones of its members."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from customers import customer
from operations.versions import lineage as lineages
from operations.versions.registry import Registry
from project import Project
from s3 import BUCKET, S3
from servers import Servers

import pytest
from pymongo.database import Database

# The customers of version 1.
CUSTOMERS = 1200


@dataclass
class Team:
    """A team whose version 1 is published, in the checkout `project`; `start` is the commit before it.

    `folder` holds the bare repository and the members' clones, `database` the customers; it is on the server
    at `uri`.
    """

    folder: Path
    servers: Servers
    database: Database[dict[str, Any]]
    uri: str
    start: str = field(init=False)
    project: Project = field(init=False)

    @property
    def s3(self) -> S3:
        """The S3 server."""
        return self.servers.s3

    @property
    def mlflow(self) -> str:
        """The URI of the MLflow server."""
        return self.servers.mlflow

    @property
    def remote(self) -> Project:
        """The bare repository that the Git server serves."""
        return Project(self.folder / "remote.git")

    @property
    def url(self) -> str:
        """The URL of the repository."""
        return f"{self.servers.git}/{self.remote.root.relative_to(self.servers.folder)}"

    def member(self, name: str) -> Project:
        """Clone the repository and point it at the team's servers, by settings that Git does not track."""
        Project(self.folder).run("git", "clone", "-q", self.url, name)
        return self.equip(Project(self.folder / name))

    def equip(self, project: Project) -> Project:
        """Configure a checkout for the team's servers."""
        project.env["MLFLOW_TRACKING_URI"] = self.mlflow
        project.env["MONGODB_URI"] = self.uri
        self.s3.use(project)
        return project

    def arrive(self, first: int, beyond: int) -> None:
        """Insert the customers of these numbers into MongoDB."""
        self.database.customers.insert_many([customer(number) for number in range(first, beyond)])

    def refs(self) -> str:
        """Return the refs of the Git remote."""
        return self.remote.git("for-each-ref")

    def tags(self) -> set[str]:
        """Return the tags of the Git remote."""
        return set(self.remote.git("tag").split())

    def spoil(self, md5: str, content: bytes | None) -> None:
        """Overwrite (or with None delete) the object with this md5 in the bucket."""
        key = f"dvc/files/md5/{md5[:2]}/{md5[2:]}"
        if content is None:
            self.s3.client().delete_object(Bucket=BUCKET, Key=key)
        else:
            self.s3.client().put_object(Bucket=BUCKET, Key=key, Body=content)


def found(team: Team, origin: Project, kept: Path) -> None:
    """Publish version 1, and save the state of all servers in the folder `kept`."""
    team.folder.mkdir()
    origin.run("git", "clone", "-q", "--bare", str(origin.root), str(team.remote.root))
    team.arrive(0, CUSTOMERS)
    project = team.member("service")
    project.read_from(team.uri, team.database.name)
    project.dvc("repro")
    assert "version 1 is published; champion" in project.run("pipeline", "publish").stdout
    shutil.move(team.folder, kept / "folder")
    team.servers.save(kept)


@contextmanager
def as_founded(team: Team, kept: Path) -> Iterator[Team]:
    """Restore the state of version 1; later changes are deleted afterwards."""
    shutil.copytree(kept / "folder", team.folder, symlinks=True)
    team.servers.load(kept)
    team.project = team.equip(Project(team.folder / "service"))
    team.project.git("remote", "set-url", "origin", team.url)
    team.start = team.project.git("rev-parse", "model-v1~1").strip()
    team.database.client.drop_database(team.database.name)
    team.arrive(0, CUSTOMERS)
    yield team
    shutil.rmtree(team.folder)


def registry(project: Project) -> Registry:
    """The registry in this process: each command takes seconds to start."""
    with pytest.MonkeyPatch.context() as patch:
        store = f"sqlite:///{project.root}/mlflow.db"
        patch.setenv("MLFLOW_TRACKING_URI", project.env.get("MLFLOW_TRACKING_URI", store))
        return Registry()


def models(project: Project) -> list[dict[str, Any]]:
    """Return the result of `pipeline models --json`."""
    return [version.summary() for version in registry(project).scored()]


def lineage(project: Project, version: int) -> dict[str, Any]:
    """Return the result of `pipeline lineage --json` for a version."""
    return lineages.lineage(registry(project), version)


def champion(project: Project) -> int | None:
    """Return the number of the champion."""
    found = registry(project).champion()
    return found.number if found else None
