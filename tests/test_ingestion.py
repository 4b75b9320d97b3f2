"""Ingestion of a whole collection: counts, duplicates, unusual documents, filters."""

import math
from pathlib import Path
from typing import Any

import ingestion
from customers import DELETE, customer, put
from pipeline.config.contract import Column
from pipeline.data import parts
from pipeline.data.artifacts import parts as parts_of
from project import Project
from reading import Document, customer_contract, read, relaxed

import pyarrow.parquet as pq
import pytest
from pymongo.database import Database

DAMAGE = {
    "account": None,
    "account.contract": 5,
    "account.tenure_months": 2.5,
    "billing": [{"monthly_charges": 10.0, "total_charges": 20.0}],
    "billing.monthly_charges": math.nan,
    "billing.total_charges": "a lot",
    "churned": "yes",
    "profile.gender": ["female"],
    "profile.senior_citizen": 1,
    "services.streaming": DELETE,
    "services.streaming.tv": None,
}
MEANT_COLUMN = {
    "account": "tenure_months",
    "account.contract": "contract",
    "account.tenure_months": "tenure_months",
    "billing": "monthly_charges",
    "services.streaming": "streaming_tv",
    "services.streaming.tv": "streaming_tv",
}


def test_every_kind_of_damage_is_accounted_for(database: Database[Document], tmp_path: Path) -> None:
    stored = {document["_id"]: document for document in map(customer, range(200))}
    damaged = {customer(10 * (number + 1))["_id"]: path for number, path in enumerate(DAMAGE)}
    for identity, path in damaged.items():
        put(stored[identity], path, DAMAGE[path])
    database.customers.insert_many(stored.values())

    done = read(database, tmp_path, customer_contract(), rows_per_part=20)

    assert (done.accepted, done.rejected) == (200 - len(damaged), len(damaged))
    assert [line["document"] for line in done.rejections] == [relaxed(stored[i]) for i in sorted(damaged)]
    for identity, path in damaged.items():
        column = MEANT_COLUMN.get(path, path.rpartition(".")[2])
        assert any(reason.startswith(f"{column}: ") for reason in done.reasons[identity]), path
    columns = customer_contract().columns
    good = [stored[identity] for identity in sorted(stored.keys() - damaged.keys())]
    assert done.rows == [
        {"_id": source["_id"]} | {name: at(source, column.path) for name, column in columns.items()}
        for source in good
    ]


def at(document: Document, path: str) -> Any:
    """The value at a dotted path."""
    for name in path.split("."):
        document = document[name]
    return document


@pytest.mark.parametrize("batch_rows", [1, 2, 100], ids=["a batch each", "across batches", "one batch"])
def test_repeated_id_is_accepted_once(
    database: Database[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    monkeypatch.setattr(ingestion, "BATCH_ROWS", batch_rows)
    keys: list[Any] = ["a", "b", "b", "b", "c", 1, 1.0, "1", "", 2, 2]
    database.customers.insert_many(customer(n, _id=n, crm={"key": key}) for n, key in enumerate(keys))

    done = read(database, tmp_path, customer_contract(id="crm.key"), rows_per_part=1)

    assert [row["crm.key"] for row in done.rows] == ["1", "2", "", '"1"', "a", "b", "c"]
    assert {number: keys[number] for number in done.reasons} == {2: "b", 3: "b", 6: 1.0, 10: 2}
    assert all("duplicate" in reasons[0] and "crm.key" in reasons[0] for reasons in done.reasons.values())


def test_id_and_columns_may_lie_within_the_id(database: Database[Document], tmp_path: Path) -> None:
    ids = [{"region": "eu", "number": 2}, {"region": "eu", "number": 1}, {"region": "us", "number": 2}]
    database.customers.insert_many(customer(0, _id=identity) for identity in ids)
    contract = customer_contract(id="_id.number")
    contract.columns["gender"] = Column(path="_id.region", type="category")

    done = read(database, tmp_path, contract)

    assert [(row["_id.number"], row["gender"]) for row in done.rows] == [("1", "eu"), ("2", "eu")]
    assert done.rejections[0]["document"]["_id"] == ids[2]


@pytest.mark.parametrize("key", [DELETE, None, [], ["a"], [{"a": 1}]], ids=repr)
def test_document_without_an_identity_is_rejected(
    database: Database[Document], tmp_path: Path, key: Any
) -> None:
    without = customer(1, crm={"key": "good"})
    put(without, "crm.key", key)
    database.customers.insert_many([customer(2, crm={"key": "good"}), without])

    done = read(database, tmp_path, customer_contract(id="crm.key"))

    assert [row["crm.key"] for row in done.rows] == ["good"]
    assert "no identity" in done.reasons["T-0000001"][0]
    assert done.rejections[0]["document"] == relaxed(without)


AWKWARD: Document = {
    "dollar and dots": {"$price": 5, "a.b": {"$c.d": [1]}, "$": 1, "": "empty name"},
    "like extended JSON": {"$date": "no date", "$oid": "none"},
    "unicode": "\U0001f600 \u05e9\u05dc\u05d5\u05dd \u202e\u2028\u2029\x85\x0b e\u0301 a\0b",
    "deep": {"a": {"a": {"a": {"a": {"a": [[[[{"a": None}]]]]}}}}},
    "large": "\u00e9" * 5_000_000,
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_document_is_read_and_kept_whole(
    database: Database[Document], tmp_path: Path, name: str
) -> None:
    good, bad = customer(1, notes=AWKWARD[name]), customer(2, notes=AWKWARD[name], churned="yes")
    database.customers.insert_many([good, bad])

    done = read(database, tmp_path, customer_contract())

    assert [row["_id"] for row in done.rows] == ["T-0000001"]
    [line] = done.rejections
    assert line["document"] == relaxed(bad)


@pytest.mark.slow
def test_large_value_in_a_column_is_read_exactly(database: Database[Document], tmp_path: Path) -> None:
    text = "a\0\U0001f600" * 2_000_000
    contract = customer_contract()
    contract.columns["gender"] = contract.columns["gender"].model_copy(update={"type": "string"})
    database.customers.insert_many([customer(n, profile__gender=f"{n}{text}") for n in range(3)])

    done = read(database, tmp_path, contract)

    assert all(row["gender"] == f"{number}{text}" for number, row in enumerate(done.rows))
    assert done.accepted == 3


def test_rejected_file_is_utf8_whatever_the_locale(
    project: Project, database: Database[Document], mongo_uri: str
) -> None:
    bad = customer(2, notes="\u05e9\u05dc\u05d5\u05dd", churned="yes")
    database.customers.insert_many([customer(1), bad])
    project.read_from(mongo_uri, database.name)

    project.stage("ingestion", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")

    assert project.rejected("ingestion")[0]["document"] == relaxed(bad)
    assert len(parts_of(project.root / "artifacts/raw")) == 1


def test_view_is_read_by_another_id(database: Database[Document], tmp_path: Path) -> None:
    database.source.insert_many(customer(n, key=f"K{n}", churned=n != 3) for n in range(5))
    database.source.update_one({"key": "K3"}, {"$set": {"churned": "yes"}})
    database.command("create", "customers", viewOn="source", pipeline=[{"$project": {"_id": 0}}])

    done = read(database, tmp_path, customer_contract(id="key"))

    assert [row["key"] for row in done.rows] == ["K0", "K1", "K2", "K4"]
    assert done.rejections[0]["document"]["churned"] == "yes"


def test_all_documents_rejected(database: Database[Document], tmp_path: Path) -> None:
    database.customers.insert_many(customer(number, churned=None) for number in range(120))

    done = read(database, tmp_path, customer_contract())

    assert (done.accepted, done.rejected, len(done.rejections)) == (0, 120, 120)
    assert pq.read_table(done.parts[0]).num_rows == 0


def test_long_read_holds_one_row_group_and_one_batch(
    database: Database[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    flush = parts.PartWriter._flush

    def measured(writer: parts.PartWriter) -> None:
        held.append(sum(map(len, writer._pending)))
        flush(writer)

    monkeypatch.setattr(parts.PartWriter, "_flush", measured)
    monkeypatch.setattr(parts, "ROW_GROUP", 300)
    monkeypatch.setattr(ingestion, "BATCH_ROWS", 100)
    database.customers.insert_many(map(customer, range(2_500)))

    done = read(database, tmp_path, customer_contract())

    assert sum(pq.read_metadata(part).num_row_groups for part in done.parts) == len(held) >= 9
    assert max(held) <= 300 + 100
    assert done.accepted == 2_500
