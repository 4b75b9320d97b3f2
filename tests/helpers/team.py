"""A team: what its members share on the Git, S3, MLflow and MongoDB servers, and how a member starts."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from customers import customer
from pipeline.versions.registry import Registry
from project import SMALL, Project
from s3 import BUCKET, S3
from servers import Servers, Snapshot

# How many customers version 1 is made of.
CUSTOMERS = 1200


@dataclass
class Team:
    """A team whose version 1 is published, in the checkout `project`; `start` is the commit before it.

    `folder` holds the bare repository and the members' clones, `database` the customers.
    """

    folder: Path
    servers: Servers
    database: Database[dict[str, Any]]
    start: str = ""
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
        """Where the Git server has it."""
        return f"{self.servers.git}/{self.remote.root.relative_to(self.servers.folder)}"

    def member(self, name: str) -> Project:
        """Clone the repository and point it at the team's servers, by settings that Git does not track."""
        Project(self.folder).run("git", "clone", "-q", self.url, name)
        return self.equip(Project(self.folder / name))

    def equip(self, project: Project) -> Project:
        """Let a checkout use the team's servers."""
        project.env["MLFLOW_TRACKING_URI"] = self.mlflow
        project.env["MONGODB_URI"] = self.uri
        self.s3.use(project)
        return project

    @property
    def uri(self) -> str:
        """The URI of the MongoDB server."""
        host, port = self.database.client.address or ("", 0)
        return f"mongodb://{host}:{port}/?directConnection=true"

    def arrive(self, first: int, beyond: int) -> None:
        """Let the customers of these numbers arrive in MongoDB."""
        self.database.customers.insert_many([customer(number) for number in range(first, beyond)])

    def refs(self) -> str:
        """What the Git remote holds."""
        return self.remote.git("for-each-ref")

    def spoil(self, md5: str, content: bytes | None) -> None:
        """Damage (or with None delete) the object of the bucket that has this md5."""
        key = f"dvc/files/md5/{md5[:2]}/{md5[2:]}"
        if content is None:
            self.s3.client().delete_object(Bucket=BUCKET, Key=key)
        else:
            self.s3.client().put_object(Bucket=BUCKET, Key=key, Body=content)


@dataclass(frozen=True)
class Founding:
    """A team as it was when its version 1 was published: what a test starts from, over and over."""

    team: Team
    servers: Snapshot

    @contextmanager
    def again(self, name: str) -> Iterator[Team]:
        """Let everything be as it was then, in a folder of its own below that of the servers."""
        folder = self.team.folder.with_name(name)
        shutil.copytree(self.team.folder, folder, symlinks=True)
        self.team.servers.restore(self.servers)
        team = replace(self.team, folder=folder)
        team.project = team.equip(Project(folder / "service"))
        team.project.git("remote", "set-url", "origin", team.url)
        self.team.database.client.drop_database(self.team.database.name)
        team.arrive(0, CUSTOMERS)
        try:
            yield team
        finally:
            shutil.rmtree(folder)


def found(servers: Servers, origin: Project, mongo_uri: str) -> Founding:
    """Found a team, and let a member publish version 1."""
    folder = servers.folder / "founded"
    folder.mkdir()
    origin.run("git", "clone", "-q", "--bare", str(origin.root), str(folder / "remote.git"))
    client = MongoClient[dict[str, Any]](mongo_uri)
    client.admin.command("ping")
    team = Team(folder, servers, client.team, origin.git("rev-parse", "HEAD").strip())
    team.arrive(0, CUSTOMERS)
    project = team.project = team.member("service")
    project.read_from(team.uri, team.database.name)
    project.set(**SMALL)
    project.dvc("repro")
    assert "version 1 is published; champion" in project.run("pipeline", "publish").stdout
    return Founding(team, servers.snapshot("founded"))


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
