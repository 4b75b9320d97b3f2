"""`pipeline schema infer` and `pipeline schema check` on a real server, in a checkout."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from operations import schema_commands
from operations.readiness import report as readiness
from operations.schema import reading, settings
from pipeline.config.contract import Contract
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.config.parameters import load
from pipeline.source.parameters import IngestionParameters
from project import PARAMS, Project

import pytest
from bson import Decimal128
from pymongo.database import Database
from pymongo.errors import ExecutionTimeout

ROWS = 300


def customer(number: int, **values: Any) -> dict[str, Any]:
    """Return a customer; every third one churns."""
    return {
        "_id": number,
        "email": f"c{number}@example.org",
        "plan": {"name": "pro" if number % 5 else "basic", "price": Decimal128(f"{number % 50}.99")},
        "visits": number % 40,
        "left": number % 3 == 0,
    } | values


@pytest.fixture
def checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Database[Any], mongo_uri: str
) -> Project:
    """A folder with the tests' parameters and a server that holds `database`.customers."""
    (tmp_path / "params.yaml").write_text(PARAMS.read_text())
    monkeypatch.setenv("MONGODB_URI", mongo_uri)
    database.customers.insert_many(map(customer, range(ROWS)))
    return Project(tmp_path)


@pytest.fixture
def infer(database: Database[Any], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """A function that infers the schema of the customers, and returns the output."""

    def run(target: str | None = "left=true", write: bool = False, query: str | None = None) -> str:
        schema_commands.infer(target, write, f"{database.name}.customers", query, everything=False)
        return capsys.readouterr().out

    return run


def test_infer_writes_nothing_by_default(checkout: Project, infer: Callable[..., str]) -> None:
    before = checkout.params.read_bytes()

    candidates, proposal = infer(target=None), infer()

    assert checkout.params.read_bytes() == before
    assert "customers: all 300 documents read" in candidates
    assert "  --target left=true\n  --target plan.name=basic\n" in candidates
    assert "the schema accepts 300 of 300 documents (100.00%)" in proposal
    assert "+  target: {column: left, positive: true}" in proposal
    assert "c1@example.org" not in proposal
    with pytest.raises(ConfigurationError, match="--write needs --target"):
        infer(target=None, write=True)
    with pytest.raises(ConfigurationError, match="holds no document that the filter selects"):
        infer(query='{"visits": 77}')


def test_why_no_document_was_read(checkout: Project, database: Database[Any]) -> None:
    database.create_collection("empty")

    def message(options: list[str], **keys: Any) -> str:
        source = IngestionParameters(source="mongodb", database=database.name, **keys)
        with reading.reading(source, everything=False) as documents:
            assert next(documents(), None) is None
            return reading.no_document(documents, options).removeprefix(f"{database.name}.")

    assert message([], collection="empty") == (
        "empty is empty: insert documents, or correct ingestion.collection in params.yaml"
    )
    assert message(["collection", "filter"], collection="custom") == (
        f"custom does not exist: correct --collection; the database {database.name} has customers, empty"
    )
    assert message(["filter"], collection="customers", filter={"visits": 77}) == (
        "customers holds no document that the filter selects: correct --filter"
    )


def test_check_accepts_the_written_schema(
    checkout: Project,
    infer: Callable[..., str],
    database: Database[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    infer(write=True, query='{"visits": {"$gte": 0}}')

    ingestion = {"source": "mongodb", "database": database.name, "collection": "customers"}
    content = checkout.params.read_text()
    assert all(f"  {key}: {value}" in content for key, value in ingestion.items())
    assert load("ingestion", IngestionParameters).filter == {"visits": {"$gte": 0}}
    assert "  min_rows: 150" in content
    assert "  price: {path: plan.price, type: number, minimum: 0, maximum: 100}" in content
    assert "  derived_features: {}" in content
    assert "  slice_by: []" in content
    schema_commands.check(everything=True)
    assert "not in the schema: email, 100.0% of the documents (string)" in capsys.readouterr().out
    assert readiness.schema().endswith("1 differences or warnings: see pipeline schema check")

    database.customers.update_many({}, {"$unset": {"plan.price": 1}, "$set": {"plan.color": "red"}})
    database.customers.update_many({"_id": {"$lt": 5}}, {"$set": {"visits": 1_000}})
    with pytest.raises(
        PipelineError, match=r"a retrain would fail: 300 of 300 documents would be rejected"
    ) as error:
        schema_commands.check(everything=False)
    assert error.value.exit_code == 1
    printed = capsys.readouterr().out
    assert "vanished: price is missing in all documents (plan.price)" in printed
    assert "not in the schema: plan.color, 100.0% of the documents (string)" in printed
    assert "beyond the schema: price, 300 documents: is missing, but it is required (plan.price)" in printed
    with pytest.raises(PipelineError, match="a retrain would fail"):
        readiness.schema()


def test_second_write_is_an_update(
    checkout: Project, infer: Callable[..., str], database: Database[Any]
) -> None:
    """Names, bounds, derived features, slices and comments of columns that remain are kept."""
    first = infer(write=True)
    assert "columns: 0 kept, 4 added (plan_name, price, visits, left), 9 removed (gender, " in first
    assert "evaluation.slice_by: 0 kept, 2 removed (contract, senior_citizen)" in first
    assert "the model is registered as churn-pipeline: mlflow.registered_model in params.yaml" in first
    line = "visits: {path: visits, type: integer, minimum: 0, maximum: 100}"
    content = checkout.params.read_text()
    assert line in content
    checkout.params.write_text(content.replace(line, "trips: {path: visits, type: integer}  # by hand"))
    derived = {"often": "trips > 3", "cheap": "price / (often + 1)", "alike": "visits + 1"}
    checkout.set(training__derived_features=derived, evaluation__slice_by=["trips", "plan_name"])

    before = checkout.params.read_text()
    assert "columns: 4 kept\n" in infer(write=True)
    assert checkout.params.read_text() == before

    database.customers.update_many({}, {"$unset": {"plan.price": 1}})
    for number in range(7):
        database.customers.update_many({"_id": {"$mod": [7, number]}}, {"$set": {"since": number}})
    third = infer(write=True)
    assert "columns: 3 kept, 1 added (since), 1 removed (price)" in third
    assert "training.derived_features: 2 kept, 1 removed (cheap)" in third
    assert "evaluation.slice_by: 2 kept\n" in third
    assert load("schema", Contract).columns["trips"].maximum is None


@pytest.mark.parametrize(
    ("before", "rows", "after"),
    [(1000, 5, 2), (2, 300, 150), (120, 300, 150), (150, 300, 150), (2, 3000, 1000), (1400, 3000, 1400)],
)
def test_min_rows(checkout: Project, before: int, rows: int, after: int) -> None:
    """At most half of the collection, and at least that or the default."""
    checkout.set(validation__min_rows=before)

    values, notes = settings._least(rows)

    assert values.get(("validation", "min_rows"), before) == after
    assert len(notes) == (before != after)


def every(count: int, *positive: int, **values: Any) -> list[dict[str, Any]]:
    """Return customers, of whom those with these numbers churn."""
    return [customer(number, left=number in positive, **values) for number in range(count)]


@pytest.mark.parametrize(
    ("documents", "failure"),
    [
        ([], "customers is empty: insert documents"),
        (every(40, *range(0, 40, 3), visits=None), "visits is null or missing on every train row of the 40"),
        (every(40, 3), "the holdout has 4 negative and 0 positive rows of left and needs both"),
        (every(5, 3), "the holdout has 0 negative and 0 positive rows of left and needs both"),
        (every(40), "the target left has one class only: no row is positive"),
        (
            [one | {"visits": 39 * one["left"]} for one in every(60, *range(30))],
            r"visits alone ranks the target with ROC AUC 1.0000, a leak",
        ),
    ],
    ids=["empty", "null", "rare", "five", "one class", "leak"],
)
def test_check_fails_where_a_retrain_fails(
    checkout: Project, infer: Callable[..., str], database: Database[Any], documents: Any, failure: str
) -> None:
    infer(write=True)
    checkout.set(validation__min_rows=2, schema__columns__visits__nullable=True)
    database.customers.delete_many({})
    if documents:
        database.customers.insert_many(documents)

    with pytest.raises(PipelineError, match=failure) as error:
        schema_commands.check()

    assert error.value.exit_code == 1


def test_check_warns(
    checkout: Project,
    infer: Callable[..., str],
    database: Database[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A column below the bound of a leak, and a class that a sample lacks, do not fail a retrain."""
    infer(write=True)
    # One of a hundred customers who stayed has the visits of those who left.
    copies = {"$cond": [{"$or": ["$left", {"$eq": ["$_id", 1]}]}, 39, 0]}
    database.customers.update_many({}, [{"$set": {"visits": copies}}])
    checkout.set(validation__max_single_column_auc=0.999)
    schema_commands.check()
    assert "warning: visits alone ranks the target with ROC AUC 0.99" in capsys.readouterr().out

    database.customers.update_many({}, {"$set": {"left": False}})
    monkeypatch.setattr(reading, "SAMPLE_BYTES", 2_000)
    monkeypatch.setattr(reading, "BATCH", 10)
    schema_commands.check()
    assert "warning: the target left has one class only: no row is positive (--all" in capsys.readouterr().out


def test_sample_size(database: Database[Any], checkout: Project) -> None:
    keys = {"source": "mongodb", "database": database.name, "collection": "customers"}

    with reading.reading(IngestionParameters(**keys), everything=False, most=40) as documents:
        first, second = list(documents()), list(documents())

    assert len(first) == 40
    assert first == second
    assert (documents.total, documents.complete) == (ROWS, False)
    with reading.reading(IngestionParameters(**keys), everything=True, most=40) as documents:
        assert len(list(documents())) == ROWS
        assert documents.batches is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "SAMPLE_BYTES", 2_000)
        patch.setattr(reading, "BATCH", 10)
        with reading.reading(IngestionParameters(**keys), everything=False) as documents:
            assert sum(map(len, documents.batches or [])) <= 4_000
            assert not documents.complete


def test_slow_sample_is_not_an_error(
    checkout: Project, database: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a filter, the server reads the whole collection for a sample."""

    def too_long(*_: Any) -> Any:
        raise ExecutionTimeout("operation exceeded time limit", 50)

    monkeypatch.setattr(reading, "_bounded", too_long)
    checkout.set(ingestion={"source": "mongodb", "database": database.name, "collection": "customers"})

    assert readiness.schema().startswith("not compared")


def test_invalid_schema_can_be_replaced(checkout: Project, infer: Callable[..., str]) -> None:
    checkout.set(schema={"columns": {"from": {}}})

    infer(write=True)

    assert load("schema", Contract).target.column == "left"
