"""A MongoDB with a password: ingestion uses it, and it appears nowhere."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from customers import customer
from pipeline.source.embedded_mongo import running_server
from project import Project
from reading import Document

import pytest
from pymongo import MongoClient

# A new value each time, since the checkouts contain this file.
SECRET = uuid.uuid4().hex
PASSWORD = f"correct/horse b@ttery {SECRET}"
WRONG = f"wrong/horse b@ttery {SECRET}"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The host and port of a server with authentication; `reader` may read crm, `stranger` nothing."""
    storage = tmp_path_factory.mktemp("secured")
    with running_server(storage) as uri, MongoClient[Document](uri) as client:
        client.crm.customers.insert_many(map(customer, range(300)))
        client.crm.customers.insert_one(customer(300, churned="rejected"))
        for user, roles in (("reader", [{"role": "read", "db": "crm"}]), ("stranger", [])):
            client.admin.command("createUser", user, pwd=PASSWORD, roles=roles)
    with running_server(storage, "--auth") as uri:
        yield uri.removeprefix("mongodb://").partition("/")[0]


def uri(host: str, user: str = "reader", password: str = PASSWORD) -> str:
    return f"mongodb://{user}:{quote(password, safe='')}@{host}/?directConnection=true"


@pytest.fixture
def remote(project: Project) -> Project:
    project.set(ingestion__source="mongodb")
    return project


def leaks(folder: Path) -> list[str]:
    """Return the files that contain a password."""
    contents = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert len(contents) > 50
    return [str(path) for path, content in contents.items() if SECRET.encode() in content]


def test_reader_reads_and_the_password_is_in_no_file_and_no_output(remote: Project, secured: str) -> None:
    done = remote.run("dvc", "repro", "--verbose", "ingestion", MONGODB_URI=uri(secured))

    assert "read 301 = accepted 300 + rejected 1" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert leaks(remote.root) == []


@pytest.mark.parametrize(
    ("user", "password", "problem"),
    [
        ("reader", WRONG, "refused the user or the password of MONGODB_URI"),
        ("unknown", PASSWORD, "refused the user or the password of MONGODB_URI"),
        ("stranger", PASSWORD, "does not let this user read the collection: grant it the role read"),
    ],
    ids=["wrong password", "no such user", "no right to read"],
)
def test_refused_user_is_one_line_without_the_password(
    remote: Project, secured: str, user: str, password: str, problem: str
) -> None:
    done = remote.stage("ingestion", check=False, MONGODB_URI=uri(secured, user, password))

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"ingestion: MongoDB at {secured} {problem}; nothing was changed",
    ]
    assert leaks(remote.root) == []
    assert not (remote.root / "artifacts/raw").exists()


def test_no_password_at_all_is_one_line(remote: Project, secured: str) -> None:
    done = remote.stage("ingestion", check=False, MONGODB_URI=f"mongodb://{secured}/?directConnection=true")

    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert f"MongoDB at {secured} requires a user and a password: MONGODB_URI has none" in line
