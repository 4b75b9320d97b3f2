"""Several readers read ranges of ids of any types, and write the bytes that one reader writes."""

import hashlib
from pathlib import Path
from typing import Any

import ingestion
from customers import customer
from pipeline.config.errors import ConfigurationError
from pipeline.source import snapshot
from pipeline.source.snapshot import Snapshot
from reading import Document, Read, customer_contract, read

import pytest
from bson import Int64, ObjectId
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure


def digests(done: Read) -> dict[str, str]:
    """The sha256 of each file."""
    files = [*done.parts, done.folder / "rejected.jsonl"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def borders(monkeypatch: pytest.MonkeyPatch) -> list[list[Document]]:
    """The borders of each read, of ranges of 20 documents."""
    found, sample = [], Snapshot._borders

    def recorded(self: Snapshot) -> list[Document]:
        found.append(sample(self))
        return found[-1]

    monkeypatch.setattr(Snapshot, "_borders", recorded)
    monkeypatch.setattr(snapshot, "RANGE_ROWS", 20)
    monkeypatch.setattr(ingestion, "BATCH_ROWS", 7)
    return found


def test_readers_change_no_byte(
    database: Database[Document], tmp_path: Path, borders: list[list[Document]]
) -> None:
    ids: list[Any] = [None, True, {"a": 1}, 2.5, Int64(2**40), "", *range(60), *map(str, range(60))]
    ids += [ObjectId(f"{number:024x}") for number in range(60)]
    customers = [customer(place, _id=identity) for place, identity in enumerate(ids)]
    for bad in customers[::5]:
        bad["churned"] = "yes"
    database.customers.insert_many(customers)

    done = [
        read(database, tmp_path / str(readers), customer_contract(), readers=readers, rows_per_part=15)
        for readers in (1, 2, 3)
    ]

    assert [(each.accepted, each.rejected) for each in done] == [(148, 38)] * 3
    assert [len(each) > 4 for each in borders] == [False, True, True]
    assert borders[0] == []
    assert digests(done[1]) == digests(done[2]) == digests(done[0])
    assert len(done[0].parts) > 5


def test_few_documents_of_a_filter_are_one_range(
    database: Database[Document], tmp_path: Path, borders: list[list[Document]]
) -> None:
    database.customers.insert_many(map(customer, range(90)))
    query = {"_id": {"$gte": "T-0000050"}}

    done = read(database, tmp_path / "40", customer_contract(), readers=2, filter=query)
    few = read(
        database, tmp_path / "30", customer_contract(), readers=2, filter={"_id": {"$gte": "T-0000060"}}
    )

    assert (done.accepted, few.accepted) == (40, 30)
    assert [len(each) for each in borders] == [1, 0]
    assert borders[0][0]["_id"] > "T-0000050"


def test_a_view_is_read_by_one(
    database: Database[Document], tmp_path: Path, borders: list[list[Document]]
) -> None:
    database.customers.insert_many(map(customer, range(90)))
    database.command("create", "some", viewOn="customers", pipeline=[])

    done = read(database, tmp_path, customer_contract(), readers=3, collection="some")

    assert (done.accepted, done.rejected, borders) == (90, 0, [[]])


def test_an_error_in_a_range_is_raised_and_leaves_no_file(
    database: Database[Document],
    tmp_path: Path,
    borders: list[list[Document]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database.customers.insert_many(map(customer, range(200)))
    ranges = Snapshot._range

    def failing(self: Snapshot, projection: Any, low: Any, high: Any) -> Any:
        yield from ranges(self, projection, low, high)
        if high == borders[-1][2]:
            raise OperationFailure("too old", 8000)

    monkeypatch.setattr(Snapshot, "_range", failing)

    with pytest.raises(OperationFailure, match="too old"):
        read(database, tmp_path, customer_contract(), readers=3)

    assert list(tmp_path.iterdir()) == []


def test_several_readers_refuse_another_id(mongo_uri: str, tmp_path: Path) -> None:
    with (
        MongoClient[Document](mongo_uri) as client,
        pytest.raises(ConfigurationError, match=r"schema\.id is key"),
    ):
        read(client.any, tmp_path, customer_contract(id="key"), readers=2)
