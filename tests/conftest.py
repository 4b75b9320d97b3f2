"""What the tests share: servers for the whole run, and checkouts to run the pipeline in."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from pymongo import MongoClient
from pymongo.database import Database

from pipeline.source.embedded_mongo import running_server
from project import SMALL, Project, working_tree
from s3 import S3
from servers import Servers, running_servers
from team import Founding, Team, found

# A file of tests is run by one worker, which then takes the next: those that take minutes come first.
LONGEST = ("test_versions", "test_dependencies", "test_new_data", "test_publishing", "test_interrupted")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests so that no worker is left alone with a long file at the end."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONGEST)))


# How long an example takes says how busy the machine is.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a MongoDB server that the tests of one worker share."""
    with running_server(tmp_path_factory.mktemp("mongodb")) as uri:
        yield uri


@pytest.fixture
def database(mongo_uri: str) -> Iterator[Database[dict[str, Any]]]:
    """An empty database of the shared server."""
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        name = f"test_{uuid.uuid4().hex[:12]}"
        yield client[name]
        client.drop_database(name)


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The working tree as a Git repository, to clone from."""
    return working_tree(tmp_path_factory.mktemp("origin"))


@pytest.fixture
def clone(origin: Project, tmp_path: Path) -> Callable[..., Project]:
    """A function that makes a fresh clone, as a newcomer has it: without data, cache or stores."""

    def make(name: str = "clone") -> Project:
        origin.run("git", "clone", "-q", str(origin.root), str(tmp_path / name))
        return Project(tmp_path / name)

    return make


@pytest.fixture
def project(clone: Callable[..., Project]) -> Project:
    """A fresh clone."""
    return clone()


@pytest.fixture(scope="session")
def _reproduced(origin: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("reproduced") / "project"
    origin.run("git", "clone", "-q", str(origin.root), str(folder))
    made = Project(folder)
    made.set(**SMALL)
    made.dvc("repro")
    made.git("commit", "-qam", "A small model")
    return made


@pytest.fixture
def ready(_reproduced: Project, tmp_path: Path) -> Project:
    """A clone in which a small model was made and committed, with its cache and its embedded stores."""
    shutil.copytree(_reproduced.root, tmp_path / "ready", symlinks=True)
    return Project(tmp_path / "ready")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The S3, MLflow and Git servers that the tests of one worker share."""
    with running_servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture(scope="session")
def mlflow_server(servers: Servers) -> str:
    """The URI of the MLflow server."""
    return servers.mlflow


@pytest.fixture
def s3(servers: Servers) -> S3:
    """The S3 server, its bucket empty."""
    servers.s3.fill({})
    return servers.s3


@pytest.fixture(scope="session")
def _founding(servers: Servers, origin: Project, mongo_uri: str) -> Founding:
    return found(servers, origin, mongo_uri)


@pytest.fixture
def team(_founding: Founding, tmp_path: Path) -> Iterator[Team]:
    """A team whose version 1 is published, on real servers."""
    with _founding.again(tmp_path.name) as team:
        yield team
