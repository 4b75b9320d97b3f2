"""Each value of each type: a column accepts or rejects it, and no value becomes null or another one.
Every value that the embedded server can store is stored there and read through TCP.
"""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.config.contract import Column, Contract
from pipeline.source.decoding import Batch, Decoder
from reading import Document, Read, read, relaxed
from values import ACCEPTED, GOOD, MISSING, TYPES, VALUES, contract, document, identical

import bson
import pytest
from bson import DatetimeMS
from pymongo import MongoClient
from pymongo.database import Database


@pytest.fixture(scope="module", params=[False, True], ids=["required", "nullable"])
def every_value(
    request: pytest.FixtureRequest, mongo_uri: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[bool, dict[str, Document], Read]]:
    """Every value in every column, each in its own document among good ones, read once."""
    stored = {
        f"{kind}: {name}": document(f"{kind}: {name}", **{kind: value})
        for kind in TYPES
        for name, value in VALUES.items()
    }
    stored |= {f"good {number}": document(f"good {number}") for number in range(50)}
    with MongoClient[Document](mongo_uri) as client:
        database = client[f"test_{uuid.uuid4().hex[:12]}"]
        database.customers.insert_many(stored.values())
        nullable = dict.fromkeys(TYPES, True) if request.param else {}
        yield request.param, stored, read(database, tmp_path_factory.mktemp("values"), contract(**nullable))
        client.drop_database(database)


@pytest.mark.parametrize("kind", TYPES)
def test_column_accepts_its_types_only(
    every_value: tuple[bool, dict[str, Document], Read], kind: str
) -> None:
    nullable, _, done = every_value

    accepted = {row["_id"] for row in done.rows} & {f"{kind}: {name}" for name in VALUES}

    wanted = ACCEPTED[kind] | ({"null", "missing"} if nullable else set())
    assert accepted == {f"{kind}: {name}" for name in wanted}


def test_document_is_accepted_or_rejected_with_its_column(
    every_value: tuple[bool, dict[str, Document], Read],
) -> None:
    _, stored, done = every_value

    accepted = [row["_id"] for row in done.rows]

    assert (len(accepted), len(done.rejections)) == (done.accepted, done.rejected)
    assert done.accepted + done.rejected == len(stored)
    assert {*accepted, *done.reasons} == set(stored)
    for identity, reasons in done.reasons.items():
        [reason] = reasons
        assert reason.startswith(identity.split(": ")[0] + ": ")


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        ("integer: fractional double", "is 2.5, not a whole number"),
        ("integer: double of 64 bits", "too large a double to be one certain integer"),
        ("number: int64 beyond the doubles", "is 9007199254740993, too large an integer to be a number"),
        ("number: NaN", "is NaN, not a value"),
        ("number: minus infinity", "is infinite"),
        ("number: decimal of 17 digits", "is 0.12345678901234567, which a double does not hold"),
        ("number: huge decimal", "is 1E+400, too large for a double"),
        ("number: decimal NaN", "is NaN, not a value"),
        ("number: decimal infinity", "is infinite"),
        ("integer: decimal", "is a decimal, not an integer"),
        ("boolean: zero", "is an integer, not a boolean"),
        ("category: regex", "is a regular expression, not a category"),
        ("integer: array", "is an array, not an integer"),
    ],
)
def test_reason_names_the_problem(
    every_value: tuple[bool, dict[str, Document], Read], identity: str, reason: str
) -> None:
    _, _, done = every_value

    assert reason in done.reasons[identity][0]


def test_rejected_document_is_kept_whole(every_value: tuple[bool, dict[str, Document], Read]) -> None:
    _, stored, done = every_value

    for line in done.rejections:
        assert line["stage"] == "ingestion"
        assert line["document"] == relaxed(stored[line["document"]["_id"]])


def test_accepted_value_is_the_stored_one(every_value: tuple[bool, dict[str, Document], Read]) -> None:
    _, stored, done = every_value

    for row in done.rows:
        source = stored[row["_id"]]["required"]
        assert [identical(row[kind], source.get(kind)) for kind in TYPES] == [True] * len(TYPES), row["_id"]


@pytest.mark.parametrize(
    ("holder", "rejected", "reason"),
    [
        (MISSING, {"required"}, "missing"),
        (None, {"required"}, "missing"),
        ({}, {"required"}, "missing"),
        ("free text", {"required", "optional"}, "string"),
        ([GOOD, GOOD], {"required", "optional"}, "array"),
        ([], {"required", "optional"}, "array"),
    ],
    ids=["missing", "null", "empty", "a string", "an array of documents", "an empty array"],
)
def test_value_below_another_type(
    database: Database[Document], tmp_path: Path, holder: Any, rejected: set[str], reason: str
) -> None:
    good, damaged = document("good"), {}
    for place in ("required", "optional"):
        damaged[place] = document(place)
        damaged[place][place] = holder
        if holder is MISSING:
            del damaged[place][place]
    database.customers.insert_many([good, *damaged.values()])

    # `$required.integer` is an array to mongod, and missing to the embedded server: never null.
    done = read(database, tmp_path, contract(integer=True, number=True, category=True))

    assert set(done.reasons) == rejected
    assert {row["_id"] for row in done.rows} == {"good", "required", "optional"} - rejected
    for place in rejected - {"required"}:
        assert f"integer: {place} is of type {reason}, not a document" in done.reasons[place]
    for row in done.rows:
        nothing = row["_id"] == "optional"
        assert [row[kind] is None for kind in ("integer", "number", "category")] == [nothing] * 3


def decode(columns: Contract, *documents: bytes) -> Batch:
    """Decode documents as a server sends them: the embedded one cannot store these exactly."""
    return Decoder(columns).decode(b"".join(documents))


@pytest.mark.parametrize("nullable", [False, True], ids=["required", "nullable"])
def test_symbol_is_not_turned_into_null(nullable: bool) -> None:
    # An old type, which one decoder reads as a string and the other as null.
    columns = contract()
    columns.columns["category"] = Column(path="category", type="category", nullable=nullable)
    symbol = bson.encode({"_id": 1, **GOOD, "target": True}).replace(b"\x02category\0", b"\x0ecategory\0")

    batch = decode(columns, symbol)

    [rejection] = batch.rejections
    assert rejection.reasons == ["category: holds no plain value (category)"]


def test_text_that_is_not_utf8_is_rejected_by_name() -> None:
    good = bson.encode({"_id": "good", **GOOD, "target": True})
    broken = bson.encode({"_id": "broken", **GOOD, "target": True, "category": "r?d"})

    batch = decode(contract(), good, broken.replace(b"r?d", b"r\xffd"), good.replace(b"good", b"last"))

    assert batch.table["_id"].to_pylist() == ["good", "last"]
    [rejection] = batch.rejections
    assert rejection.document["_id"] == "broken"
    assert rejection.reasons == ["category: holds text that is not UTF-8"]
    assert rejection.document["category"] == "r\\xffd"


@pytest.mark.parametrize("milliseconds", [2**62, -(2**62), 2**63 - 1, -(2**63)])
def test_date_that_python_cannot_hold_is_kept_to_the_millisecond(milliseconds: int) -> None:
    far = bson.encode({"_id": 1, **GOOD, "target": True, "datetime": DatetimeMS(milliseconds)})

    batch = decode(contract(), far)

    assert batch.table["datetime"].cast("int64").to_pylist() == [milliseconds]
