"""The filter of ingestion: its selection, its errors, and an empty result."""

from datetime import UTC, datetime
from pathlib import Path

from customers import customer
from pipeline.config.errors import PipelineError
from pipeline.source.parameters import IngestionParameters
from reading import Document, customer_contract, read

import pytest
from bson import ObjectId
from pydantic import ValidationError
from pymongo.database import Database


@pytest.mark.parametrize(
    ("query", "selected"),
    [
        ({}, {0, 1, 2, 3}),
        ({"account.contract": {"$in": ["one year"]}}, {1}),
        ({"joined": {"$gte": {"$date": "2026-01-02T00:00:00Z"}}}, {1, 2, 3}),
        ({"owner": {"$oid": "00000000000000000000000b"}}, {2}),
        ({"_id": {"$regex": "3$"}}, {3}),
        ({"$expr": {"$eq": ["$_id", "T-0000000"]}}, {0}),
    ],
    ids=str,
)
def test_filter_selects_as_the_server(
    database: Database[Document], tmp_path: Path, query: Document, selected: set[int]
) -> None:
    contracts = ["two year", "one year", "two year", "two year"]
    database.customers.insert_many(
        customer(
            number,
            account__contract=contract,
            joined=datetime(2026, 1, 1 + number, tzinfo=UTC),
            owner=ObjectId(f"{9 + number:024x}"),
        )
        for number, contract in enumerate(contracts)
    )

    done = read(database, tmp_path, customer_contract(), filter=query)

    assert {row["_id"] for row in done.rows} == {f"T-{number:07d}" for number in selected}


@pytest.mark.parametrize(
    "query",
    [
        {"_id": {"$oid": "xyz"}},
        {"joined": {"$date": "yesterday"}},
        {"key": {"$binary": {}}},
        {"amount": {"$numberDecimal": "much"}},
        {"amount": 10**30},
        {"joined": {"$date": {"$numberLong": "999999999999999999"}}},
        {"a\0": 1},
        {"joined": datetime(2026, 1, 1, tzinfo=UTC)},
    ],
    ids=repr,
)
def test_filter_that_is_not_extended_json_is_refused_with_its_key(query: Document) -> None:
    with pytest.raises(ValidationError) as refused:
        IngestionParameters(source="mongodb", database="crm", collection="customers", filter=query)

    [problem] = refused.value.errors()
    assert problem["loc"] == ("filter",)
    assert "not extended JSON" in problem["msg"]


@pytest.mark.parametrize(
    ("documents", "query", "problem"),
    [
        (0, {}, "does not exist"),
        (3, {"_id": "missing"}, "holds no document that the filter selects"),
    ],
)
def test_nothing_to_read_is_an_error_and_changes_nothing(
    database: Database[Document], tmp_path: Path, documents: int, query: Document, problem: str
) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "part-0.parquet").write_text("last good data")
    (tmp_path / "rejected.jsonl").write_text("last good account")
    if documents:
        database.customers.insert_many(map(customer, range(documents)))

    with pytest.raises(PipelineError, match=problem):
        read(database, tmp_path, customer_contract(), filter=query)

    kept = {path.name: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert kept == {"part-0.parquet": "last good data", "rejected.jsonl": "last good account"}
