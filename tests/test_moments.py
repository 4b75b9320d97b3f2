"""A collection with concurrent writes: ingestion reads one snapshot, or fails."""

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ingestion
from customers import customer
from pipeline.config.errors import PipelineError
from pipeline.source import mongo, progress
from pipeline.source.decoding import Batch, Decoder
from pipeline.source.embedded_mongo import running_server
from pipeline.source.mongo import connect
from pipeline.source.snapshot import Snapshot
from reading import Document, customer_contract, read

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

READS = {"find", "getMore", "aggregate"}


def generation(number: int, count: int = 300) -> list[Document]:
    """Return all customers of one generation: they have the same monthly charge."""
    return [customer(number * 7 + n, billing__monthly_charges=float(number)) for n in range(count)]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion, "BATCH_ROWS", 20)


def after_each_batch(monkeypatch: pytest.MonkeyPatch, write: Callable[[], object]) -> None:
    """Write to the collection after each batch that is read."""
    decode = Decoder.decode

    def then_write(decoder: Decoder, raw: bytes) -> Batch:
        batch = decode(decoder, raw)
        write()
        return batch

    monkeypatch.setattr(Decoder, "decode", then_write)


def test_writes_between_batches_are_not_read(
    database: Database[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = generation(1)
    database.customers.insert_many(before)
    numbers = iter(range(10_000))

    def write() -> None:
        number = next(numbers)
        database.customers.update_many({}, {"$set": {"billing.monthly_charges": 2.0}})
        database.customers.delete_many({"_id": {"$regex": f"{number % 10}$"}})
        database.customers.insert_one(customer(1_000 + number))
        database.customers.insert_one(customer(0, _id=f"A-{number}"))

    after_each_batch(monkeypatch, write)

    done = read(database, tmp_path, customer_contract())

    assert [(row["_id"], row["monthly_charges"]) for row in done.rows] == [(d["_id"], 1.0) for d in before]
    assert next(numbers) >= 15


def test_concurrent_replacement_is_read_as_one_generation(
    database: Database[Document], tmp_path: Path, mongo_uri: str
) -> None:
    database.customers.insert_many(generation(0))
    stop, written = threading.Event(), []

    def replace_everything() -> None:
        with MongoClient[Document](mongo_uri) as client:
            customers = client[database.name].customers
            while not stop.is_set():
                number = len(written) + 1
                with client.start_session() as session, session.start_transaction():
                    customers.delete_many({}, session=session)
                    customers.insert_many(generation(number), session=session)
                written.append(number)

    writer = threading.Thread(target=replace_everything)
    writer.start()
    try:
        reads = []
        while len(reads) < 4 or len(written) < 8:
            reads.append(read(database, tmp_path, customer_contract()).rows)
    finally:
        stop.set()
        writer.join()

    for rows in reads:
        assert len(rows) == 300
        assert len({row["monthly_charges"] for row in rows}) == 1
    assert len({rows[0]["monthly_charges"] for rows in reads}) > 1


class Commands(CommandListener):
    """Records the read commands of a client."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Document]] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in READS:
            self.sent.append((event.command_name, dict(event.command)))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Ignore it."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Ignore it."""


def test_all_reads_use_one_snapshot(database: Database[Document], mongo_uri: str, tmp_path: Path) -> None:
    # The embedded server reads each cursor in one snapshot anyway; MongoDB needs the request.
    database.customers.insert_many(generation(1))
    database.customers.update_one({}, {"$set": {"churned": "rejected, so read again whole"}})
    commands = Commands()

    with MongoClient[Document](mongo_uri, event_listeners=[commands]) as client:
        done = read(client[database.name], tmp_path, customer_contract())

    assert (done.accepted, done.rejected) == (299, 1)
    assert {name for name, _ in commands.sent} == READS
    # A cursor keeps the moment of its find.
    concerns = [command["readConcern"] for name, command in commands.sent if name != "getMore"]
    assert {concern["level"] for concern in concerns} == {"snapshot"}
    moments = [concern.get("atClusterTime") for concern in concerns]
    assert moments[0] is None
    assert len(set(moments[1:])) == 1
    assert moments[1] is not None


def test_server_without_snapshots_is_read_with_a_warning(
    database: Database[Document],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    database.customers.insert_many(generation(1))
    command = Database.command

    def as_mongodb_4(admin: Any, *words: Any, **keys: Any) -> Any:
        answer = command(admin, *words, **keys)
        return answer | {"maxWireVersion": 9} if words == ("hello",) else answer

    monkeypatch.setattr(Database, "command", as_mongodb_4)

    assert read(database, tmp_path, customer_contract()).accepted == 300
    assert "one before MongoDB 5.0, offers no snapshot" in capfd.readouterr().err


def test_deleted_document_keeps_its_columns(
    database: Database[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.customers.insert_many([customer(1), customer(2, churned="yes", notes="never read")])
    after_each_batch(monkeypatch, lambda: database.customers.delete_one({"_id": "T-0000002"}))

    done = read(database, tmp_path, customer_contract())

    assert (done.accepted, done.rejected) == (1, 1)
    [line] = done.rejections
    assert line["document"]["_id"] == "T-0000002"
    assert line["document"]["churned"] == "yes"
    assert "only the declared columns are known" in line["reasons"][-1]


@pytest.fixture(scope="module")
def faulty_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that can be made to fail."""
    with running_server(tmp_path_factory.mktemp("faulty"), "--enable-test-commands") as uri:
        yield uri


@pytest.fixture
def faulty(faulty_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database[Document]]:
    """Customers on a server that can be made to fail, through the stage's connection."""
    monkeypatch.setenv("MONGODB_URI", faulty_uri + "&retryReads=false")
    with connect("mongodb") as client:
        client.lossy.customers.insert_many(generation(1))
        yield client.lossy
        client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
        client.drop_database("lossy")


def fail(database: Database[Document], command: str, mode: Any, **how: Any) -> None:
    """Make the server fail the next commands of a name."""
    data = {"failCommands": [command]} | how
    database.client.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})


@pytest.mark.parametrize("command", ["find", "getMore", "aggregate"])
@pytest.mark.parametrize("code", [239, 246, 43, 237], ids=["too old", "unavailable", "not found", "killed"])
def test_lost_snapshot_is_read_again(
    faulty: Database[Document], tmp_path: Path, capfd: pytest.CaptureFixture[str], command: str, code: int
) -> None:
    fail(faulty, command, {"times": 2}, errorCode=code)

    done = read(faulty, tmp_path, customer_contract())

    assert done.accepted == 300
    lines = capfd.readouterr().err.splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == ["attempt 2", "attempt 3"]


def test_snapshot_lost_three_times_is_an_error(
    faulty: Database[Document], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = read(faulty, tmp_path, customer_contract()).rows
    fail(faulty, "getMore", "alwaysOn", errorCode=239)

    with pytest.raises(OperationFailure) as failed:
        read(faulty, tmp_path, customer_contract())

    assert failed.value.code == 239
    assert len(capfd.readouterr().err.splitlines()) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "rejected.jsonl"]
    fail(faulty, "getMore", "off")
    assert read(faulty, tmp_path, customer_contract()).rows == before


def test_a_slow_count_and_a_slow_first_batch_are_waited_for(
    faulty: Database[Document],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    # Given a server that takes 45 s for each, on a clock that is a hundred times as fast
    monkeypatch.setattr(progress, "SILENCE", 0.3)
    fail(faulty, "aggregate", {"times": 1}, blockConnection=True, blockTimeMS=1000)

    done = read(faulty, tmp_path, customer_contract())
    fail(faulty, "find", {"times": 1}, blockConnection=True, blockTimeMS=1000)
    again = read(faulty, tmp_path, customer_contract())

    assert done.rows == again.rows
    lines = capfd.readouterr().err.splitlines()
    waited = dict.fromkeys(line.partition(" since ")[0] for line in lines)
    assert [*waited] == ["MongoDB: waiting for the count", "MongoDB: waiting for the next documents"]
    # The longest accepted answer time is longer than any count or sort.
    assert mongo._LIMITS["socketTimeoutMS"] == 3_600_000


def test_the_collection_is_counted_once(database: Database[Document], mongo_uri: str, tmp_path: Path) -> None:
    database.customers.insert_many(generation(1))
    commands = Commands()

    with MongoClient[Document](mongo_uri, event_listeners=[commands]) as client:
        read(client[database.name], tmp_path, customer_contract())

    assert [name for name, _ in commands.sent].count("aggregate") == 1


def test_other_error_is_not_retried(
    faulty: Database[Document], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fail(faulty, "getMore", {"times": 1}, errorCode=8000)

    with pytest.raises(OperationFailure):
        read(faulty, tmp_path, customer_contract())

    assert capfd.readouterr().err == ""


def test_lost_documents_fail_the_read(
    database: Database[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.customers.insert_many(generation(1))
    read_range, rng = Snapshot._range, random.Random(0)

    def leaky(*args: Any) -> Iterator[bytes]:
        kept = list(read_range(*args))
        del kept[rng.randrange(len(kept))]
        return iter(kept)

    monkeypatch.setattr(Snapshot, "_range", leaky)

    with pytest.raises(PipelineError, match=r"holds 300 documents but 280 were read; nothing was changed"):
        read(database, tmp_path, customer_contract())

    assert list(tmp_path.iterdir()) == []
