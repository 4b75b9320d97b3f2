"""A MongoDB that fails: one line, exit code 1, and the last good data is kept.

Each failure is one of a real server, and the stage is its own process.
"""

import hashlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import ingestion
from customers import customer
from pipeline.config.errors import PipelineError
from pipeline.source import mongo
from pipeline.source.embedded_mongo import running_server
from pipeline.source.mongo import connect
from project import Project, free_port
from proxy import proxy
from reading import Document, customer_contract, read

import psutil
import pytest
from pymongo import MongoClient

NOTHING_CHANGED = "nothing was changed"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that can be made to fail, with 2,000 customers in crm.customers."""
    with running_server(tmp_path_factory.mktemp("mongo"), "--enable-test-commands") as uri:
        with MongoClient[Document](uri) as client:
            client.crm.customers.insert_many(map(customer, range(2_000)))
            client.crm.create_collection("empty")
        yield uri


@pytest.fixture(scope="module")
def _good(server: str, origin: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("good") / "project"
    origin.run("git", "clone", "-q", str(origin.root), str(folder))
    project = Project(folder)
    project.set(ingestion__source="mongodb")
    project.dvc("repro", "ingestion", MONGODB_URI=server)
    project.git("commit", "-qam", "Customers of a server")
    return project


@pytest.fixture
def good(_good: Project) -> Iterator[Project]:
    """A checkout with a successful ingestion, whose files must be the same at the end."""
    before = artifacts(_good)
    assert before
    yield _good
    _good.git("checkout", "-q", "params.yaml")
    assert artifacts(_good) == before
    assert _good.git("status", "--porcelain") == ""


def artifacts(project: Project) -> dict[str, str]:
    """Return the sha256 of every file under artifacts/."""
    files = sorted(path for path in (project.root / "artifacts").rglob("*") if path.is_file())
    return {
        str(path.relative_to(project.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def failure(project: Project, uri: str | None, code: int = 1) -> str:
    """Run the stage, which must fail, and return its line."""
    done = project.stage("ingestion", check=False, **({"MONGODB_URI": uri} if uri else {}))
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith("ingestion: ")
    return line


def test_uri_is_not_set(good: Project) -> None:
    assert "MONGODB_URI is not set" in failure(good, None, code=2)


def test_connection_is_refused(good: Project) -> None:
    port = free_port()

    line = failure(good, f"mongodb://127.0.0.1:{port}/?directConnection=true&serverSelectionTimeoutMS=300")

    assert f"MongoDB at 127.0.0.1:{port} does not answer" in line
    assert NOTHING_CHANGED in line


def test_uri_is_not_valid(good: Project) -> None:
    line = failure(good, "mongodb://crm:s3cr3t/w@rd@127.0.0.1/", code=2)

    assert "MONGODB_URI is not a valid MongoDB URI" in line
    assert "s3cr3t" not in line


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://crm:s3cr3t@@127.0.0.1/",
        "mongodb://crm:s3cr3t%@127.0.0.1/",
        "mongodb://crm:abc@s3cr3t/xyz@127.0.0.1:1/",
        "mongodb://crm:abc@s3cr3t?xyz@127.0.0.1:1/",
        "mongodb://crm:s3cr3t@127.0.0.1:99999999/",
        "mongodb://crm:s3cr3t@:27017/",
        "mongodb://crm:s3cr3t@[::1/",
        "mongodb://crm:s3cr3t@127.0.0.1/?tls=s3cr3t",
        "mongodb://crm:s3cr3t@127.0.0.1/?socketTimeoutMS=s3cr3t",
        "mongodb://crm:s3cr3t@127.0.0.1/?tls=true&tlsCAFile=/no/s3cr3t",
        "mongodb+srv://crm:s3cr3t@nowhere.invalid/",
        "mongodb+srv://crm:s3cr3t@127.0.0.1/",
        "crm:s3cr3t@127.0.0.1",
        "https://crm:s3cr3t@127.0.0.1/",
        "s3cr3t",
    ],
)
def test_wrong_uri_is_not_quoted(
    uri: str, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setenv("MONGODB_URI", uri)
    monkeypatch.setitem(mongo._LIMITS, "serverSelectionTimeoutMS", 1)

    with pytest.raises(PipelineError) as failed, connect("mongodb") as client:
        client.admin.command("ping")

    texts = [str(failed.value), *(str(warning.message) for warning in recwarn)]
    assert not [line for line in texts if "s3cr3t" in line]
    assert "\n" not in texts[0]


@pytest.mark.parametrize(
    ("change", "code", "problem"),
    [
        ({"ingestion__collection": "empty"}, 1, "crm.empty holds no document that the filter selects"),
        ({"ingestion__collection": "missing"}, 1, "crm.missing does not exist"),
        ({"ingestion__filter": {"$wrong": 1}}, 2, "$wrong"),
        ({"ingestion__database": "a b"}, 2, "params.yaml: ingestion.database or ingestion.collection: "),
    ],
    ids=["empty", "missing", "a filter that the server refuses", "no name"],
)
def test_nothing_to_read(good: Project, server: str, change: dict[str, str], code: int, problem: str) -> None:
    good.set(**change)

    line = failure(good, server, code)

    assert problem in line
    assert NOTHING_CHANGED in line


def test_connection_closes_during_an_answer(good: Project, server: str) -> None:
    with proxy(server, "cut", after=300_000) as (uri, cut):
        line = failure(good, uri)

        assert cut.struck.is_set()
    assert "closed the connection while it was read" in line


def test_server_stalls_during_an_answer(good: Project, server: str) -> None:
    with proxy(server, "stall", after=300_000) as (uri, stall):
        line = failure(good, uri + "&socketTimeoutMS=3000")

        assert stall.struck.is_set()
    assert "stopped answering while it was read" in line


@pytest.mark.slow
def test_monitor_detects_a_hanging_server(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = server.rpartition(":")[2].partition("/")[0]
    children = psutil.Process().children(recursive=True)
    (process,) = [
        child
        for child in children
        if f"--port={port}" in child.cmdline() and "secantusd-py" in child.cmdline()[1]
    ]
    monkeypatch.setattr(ingestion, "BATCH_ROWS", 100)
    monkeypatch.setattr(ingestion, "names_of_parts", lambda *_: process.suspend() or {})
    monkeypatch.setenv("MONGODB_URI", server)
    try:
        with (
            pytest.raises(PipelineError, match="closed the connection while it was read"),
            connect("mongodb") as client,
        ):
            read(client.crm, tmp_path, customer_contract())
    finally:
        process.resume()


def test_slow_server_is_read_to_the_end(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given that the whole read takes longer than the time limit of an answer
    monkeypatch.setattr(ingestion, "BATCH_ROWS", 100)
    with proxy(server, "drip", after=10_000, pause=0.08) as (uri, drip):
        monkeypatch.setenv("MONGODB_URI", uri + "&socketTimeoutMS=2000")
        with connect("mongodb") as client:
            done = read(client.crm, tmp_path, customer_contract())

        assert drip.paused > 2
    assert done.accepted == 2_000


def test_snapshot_lost_repeatedly(good: Project, server: str) -> None:
    with MongoClient[Document](server) as client:
        fault = {"configureFailPoint": "failCommand", "data": {"failCommands": ["find"], "errorCode": 239}}
        client.admin.command(fault | {"mode": "alwaysOn"})
        try:
            done = good.stage("ingestion", check=False, MONGODB_URI=server)
        finally:
            client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})

    *attempts, line = done.stderr.splitlines()
    assert done.returncode == 1
    assert len(attempts) == 2
    assert "SnapshotTooOld (code 239)" in line
    assert NOTHING_CHANGED in line


def test_standalone_server_is_read_with_a_warning(good: Project, tmp_path: Path) -> None:
    with running_server(tmp_path, "--standalone") as uri:
        with MongoClient[Document](uri) as client:
            client.crm.customers.insert_many(map(customer, range(2_000)))
        done = good.stage("ingestion", MONGODB_URI=uri)

    [line] = done.stderr.splitlines()
    assert "warning: a standalone server" in line
    assert "read 2,000 = accepted 2,000" in done.stdout


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_kill_during_the_read(good: Project, server: str, how: signal.Signals) -> None:
    before = artifacts(good)
    with proxy(server, "stall", after=300_000) as (uri, stall):
        env = good.env | {"PYTHONPATH": "src", "MONGODB_URI": uri}
        words = ["python", "src/ingestion.py"]
        with subprocess.Popen(words, cwd=good.root, env=env) as stage:
            assert stall.struck.wait(60)
            stage.send_signal(how)

    assert stage.returncode == (130 if how == signal.SIGINT else -how)
    now = artifacts(good)
    assert {name: now.get(name) for name in before} == before
    assert good.git("status", "--porcelain") == ""
    assert "changed outs" not in good.dvc("status", "ingestion")

    assert good.stage("ingestion", MONGODB_URI=server).returncode == 0
    assert artifacts(good) == before


def test_failed_repro_keeps_lock_and_data(good: Project, server: str) -> None:
    before = artifacts(good)
    unreachable = f"mongodb://127.0.0.1:{free_port()}/?directConnection=true&serverSelectionTimeoutMS=300"

    done = good.run("dvc", "repro", "--force", "ingestion", check=False, MONGODB_URI=unreachable)

    assert done.returncode != 0
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert good.git("status", "--porcelain") == ""
    assert artifacts(good) == before
    # Given that a person deletes the folder
    good.run("rm", "-r", "artifacts/raw")
    good.git("checkout", "-q", "dvc.lock")
    good.dvc("checkout", "artifacts/raw")
    assert artifacts(good) == before
    assert "ingestion" not in good.dvc("status", "ingestion")


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://crm:s3cr3t@127.0.0.1:1",
        "mongodb://crm:s3cr3t@127.0.0.1:1/?appName=@crm@",
        "mongodb://crm:s3cr3t@127.0.0.1:1?retryWrites=false&appName=a@b",
        "mongodb://127.0.0.1:1/crm?appName=a@b",
    ],
)
def test_valid_uri_is_accepted(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", uri)
    monkeypatch.setitem(mongo._LIMITS, "serverSelectionTimeoutMS", 1)

    with (
        pytest.raises(PipelineError, match=r"^MongoDB at 127\.0\.0\.1:1 does not answer"),
        connect("mongodb") as client,
    ):
        client.admin.command("ping")
