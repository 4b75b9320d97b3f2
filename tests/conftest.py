"""What the tests share: servers for the whole run, and checkouts to run the pipeline in."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.source.embedded_mongo import running_server
from project import IDENTITY, Project, leftovers, working_tree
from s3 import S3
from servers import Servers, running_servers
from team import Team, as_founded, found

import pytest
from filelock import FileLock
from hypothesis import settings
from pymongo import MongoClient
from pymongo.database import Database

# One worker runs a whole file of tests, then takes the next file: those that take minutes come first. The
# first makes the team that others copy; meanwhile the other workers run files that need none.
LONGEST = (
    "test_versions",
    "test_dependencies",
    "test_new_data",
    "test_interrupted",
    "test_month",
    "test_trial",
    "test_publishing",
    "test_dvc_remotes",
    "test_refused",
    "test_changed_data",
    "test_growth",
    "test_browser",
)


# A fast test uses none of these: a checkout to run the pipeline in, servers.
SLOW = {"origin", "servers", "cluster", "mongo_uri"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests so that no worker ends with a long file alone, and mark the slow tests."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONGEST)))
    for item in items:
        if SLOW.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


# The time of an example depends on the load of the machine.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


@pytest.fixture(scope="session", autouse=True)
def _checkout() -> Iterator[None]:
    """Fail the last test of a worker if the tests left files in the checkout."""
    before = leftovers()
    yield
    assert leftovers() <= before


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in another folder, without the user's Git settings."""
    monkeypatch.chdir(tmp_path)
    # MLflow exports it to the tests that follow in the same process.
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)


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
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[..., Path]:
    """A function that fills a folder once for the whole run, for all workers."""
    root = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        root = root.parent

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder, filled = root / name, root / f"{name}.filled"
        with FileLock(root / f"{name}.lock"):
            if not filled.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                filled.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def origin(once: Callable[..., Path]) -> Project:
    """The working tree as a Git repository, to clone from."""
    return Project(once("origin", working_tree))


@pytest.fixture
def clone(origin: Project, tmp_path: Path) -> Callable[..., Project]:
    """A function that makes a fresh clone: without data, cache or stores."""

    def make(name: str = "clone") -> Project:
        origin.run("git", "clone", "-q", str(origin.root), str(tmp_path / name))
        return Project(tmp_path / name)

    return make


@pytest.fixture
def project(clone: Callable[..., Project]) -> Project:
    """A fresh clone."""
    return clone()


@pytest.fixture(scope="session")
def _reproduced(origin: Project, once: Callable[..., Path]) -> Project:
    def fill(folder: Path) -> None:
        origin.run("git", "clone", "-q", str(origin.root), str(folder))
        made = Project(folder)
        made.dvc("repro")
        made.git("commit", "-qam", "A small model")

    return Project(once("reproduced", fill))


@pytest.fixture
def ready(_reproduced: Project, tmp_path: Path) -> Project:
    """A clone with a small committed model, its cache and its embedded stores."""
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


@pytest.fixture
def team(
    servers: Servers, origin: Project, mongo_uri: str, once: Callable[..., Path], tmp_path: Path
) -> Iterator[Team]:
    """A team whose version 1 is published, on real servers."""
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        founder = Team(servers.folder / "founded", servers, client.team, mongo_uri)
        kept = once("founded", lambda folder: found(founder, origin, folder))
        with as_founded(replace(founder, folder=servers.folder / tmp_path.name), kept) as team:
            yield team
