"""The sample: nested customers in an embedded server, and arrivals of more."""

import signal
import subprocess
import sys
from contextlib import chdir
from datetime import UTC, datetime
from pathlib import Path

from customers import customer, sample_row, write_sample
from pipeline.config.errors import ConfigurationError
from pipeline.source import sample
from project import EVERYONE as COUNT
from project import FIRST, Project
from reading import Document, customer_contract, read

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import ServerSelectionTimeoutError

ROWS = [{name: str(value) for name, value in sample_row(number).items()} for number in range(1, COUNT + 1)]
EVERYONE = [sample.document(row) for row in ROWS]
# As in the file.
SECOND = {
    "customer": "2",
    "churn": "No",
    "female": "0",
    "senior_citizen": "0",
    "partner": "0",
    "dependents": "0",
    "tenure": "34",
    "phone_service": "1",
    "multiple_lines": "No",
    "internet_service": "DSL",
    "online_security": "Yes",
    "online_backup": "No",
    "device_protection": "Yes",
    "tech_support": "No",
    "streaming_tv": "No",
    "streaming_movies": "No",
    "contract": "One year",
    "paperless_billing": "0",
    "payment_method": "Mailed check",
    "monthly_charges": "56.95",
    "total_charges": "1889.5",
}


def test_sample_is_nested_and_of_real_types() -> None:
    for number, document in enumerate(EVERYONE, 1):
        assert document["profile"] == customer(number)["profile"]
        assert type(document["churned"]) is bool
        assert type(document["account"]["opened"]) is datetime
        assert type(document["account"]["tenure_months"]) is int
        assert type(document["billing"]["monthly_charges"]) is float
        assert type(document["services"]["streaming"]["tv"]) is bool
    assert {document["billing"]["total_charges"] is None for document in EVERYONE} == {True, False}


def test_second_customer_equals_the_file() -> None:
    assert sample.document(SECOND) == {
        "_id": "C-00002",
        "profile": {"gender": "male", "senior_citizen": False, "partner": False, "dependents": False},
        "account": {
            "opened": datetime(2023, 3, 1, tzinfo=UTC),
            "tenure_months": 34,
            "contract": "one year",
            "paperless_billing": False,
            "payment_method": "mailed check",
        },
        "services": {
            "phone": True,
            "multiple_lines": False,
            "internet": "dsl",
            "online_security": True,
            "online_backup": False,
            "device_protection": True,
            "tech_support": False,
            "streaming": {"tv": False, "movies": False},
        },
        "billing": {"currency": "USD", "monthly_charges": 56.95, "total_charges": 1889.5},
        "churned": False,
    }


def test_every_sample_customer_fits_the_contract(database: Database[Document], tmp_path: Path) -> None:
    database.customers.insert_many(EVERYONE)

    done = read(database, tmp_path, customer_contract())

    assert (done.accepted, done.rejected) == (COUNT, 0)


@pytest.fixture
def crm(database: Database[Document], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Database[Document]:
    """An empty database in place of the embedded server's, and a file of 100 customers."""
    monkeypatch.setattr(sample, "DATABASE", database.name)
    (tmp_path / sample.CUSTOMERS).parent.mkdir()
    write_sample(tmp_path / sample.CUSTOMERS, 100)
    return database


def there(crm: Database[Document]) -> list[str]:
    return [document["_id"] for document in crm.customers.find(sort=[("_id", 1)])]


def test_customers_arrive_in_the_order_of_the_file(crm: Database[Document]) -> None:
    assert sample.let_arrive(crm.client, 30) == 30
    assert sample.let_arrive(crm.client, 12) == 42

    assert there(crm) == [document["_id"] for document in EVERYONE[:42]]
    assert sample.arrivals(crm.client) == 42


def test_arrivals_end_with_the_file(crm: Database[Document]) -> None:
    sample.let_arrive(crm.client, 10)

    with pytest.raises(ConfigurationError, match=r"only 90 of the 100 sample customers have yet to arrive"):
        sample.let_arrive(crm.client, 91)

    assert len(there(crm)) == sample.arrivals(crm.client) == 10


@pytest.mark.parametrize("inserted", [0, 1, 25, 50], ids=["none", "one", "half", "all"])
def test_interrupted_arrivals_continue(crm: Database[Document], inserted: int) -> None:
    sample.let_arrive(crm.client, 10)
    # Given a run for 50 that was killed: customers are inserted before their number is stored
    if inserted:
        crm.customers.insert_many(EVERYONE[10 : 10 + inserted])
    assert sample.arrivals(crm.client) == 10

    assert sample.let_arrive(crm.client, 50) == 60

    assert there(crm) == [document["_id"] for document in EVERYONE[:60]]


@pytest.fixture(scope="module")
def filled(origin: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone whose embedded server ingestion has started once."""
    folder = tmp_path_factory.mktemp("sample") / "project"
    origin.run("git", "clone", "-q", str(origin.root), str(folder))
    project = Project(folder)
    assert f"read {FIRST:,} = accepted {FIRST:,}" in project.stage("ingestion").stdout
    return project


def arrive(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    return project.run("python", "-m", "operations.cli", "arrivals", *words, check=False, PYTHONPATH="src")


def present(project: Project) -> int:
    """Return the number of customers; fail unless they are the first ones of the file, each once."""
    with chdir(project.root), sample.sample_server() as uri, MongoClient[Document](uri) as client:
        found = [customer["_id"] for customer in client.crm.customers.find(sort=[("_id", 1)])]
        assert sample.arrivals(client) == len(found)
    assert found == [customer["_id"] for customer in EVERYONE[: len(found)]]
    return len(found)


def test_another_source_has_no_arrivals(project: Project) -> None:
    project.set(ingestion__source="mongodb")

    refused = arrive(project, "5")

    assert refused.returncode == 2
    assert refused.stderr == "pipeline: params.yaml reads another source: only the sample has arrivals\n"
    assert not (project.root / ".sample-mongodb").exists()


def test_next_customers_arrive_and_ingestion_sees_them(filled: Project) -> None:
    before = present(filled)

    done = arrive(filled, "40")

    assert (done.returncode, done.stderr) == (0, "")
    assert f"40 customers arrived, {before + 40:,} are there" in done.stdout
    assert f"read {before + 40:,} = " in filled.stage("ingestion").stdout


@pytest.mark.parametrize("words", [["0"], ["-1"], ["--", "-1"], ["many"], ["1.5"], []], ids=str)
def test_invalid_number_is_a_usage_error(filled: Project, words: list[str]) -> None:
    done = arrive(filled, *words)

    assert done.returncode == 2
    assert "Usage:" in done.stderr
    assert "Traceback" not in done.stderr


def test_too_many_arrivals_are_refused(filled: Project) -> None:
    before = present(filled)

    done = arrive(filled, "5000")

    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"pipeline: only {COUNT - before:,} of the {COUNT:,} sample customers")
    assert present(filled) == before


def test_concurrent_commands_take_turns(filled: Project) -> None:
    before = present(filled)
    words, env = ["python", "-m", "operations.cli", "arrivals", "5"], filled.env | {"PYTHONPATH": "src"}

    both = [subprocess.Popen(words, cwd=filled.root, env=env, stdout=subprocess.DEVNULL) for _ in range(2)]

    assert [process.wait() for process in both] == [0, 0]
    assert present(filled) == before + 10


HOLD = """
from pipeline.source.sample import let_arrive, sample_server
from pymongo import MongoClient
with sample_server() as uri, MongoClient(uri) as client:
    while True:
        let_arrive(client, 1)
        print(uri, flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_killed_command_leaves_no_server(filled: Project, how: signal.Signals) -> None:
    words, env = [sys.executable, "-c", HOLD], filled.env | {"PYTHONPATH": "src"}
    with subprocess.Popen(words, cwd=filled.root, env=env, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        uri = [holder.stdout.readline().strip() for _ in range(5)][-1]
        holder.send_signal(how)

    with chdir(filled.root), sample.sample_server() as other, MongoClient[Document](other) as client:
        sample.let_arrive(client, 1)

    assert present(filled) > FIRST
    with (
        MongoClient[Document](uri, serverSelectionTimeoutMS=100) as client,
        pytest.raises(ServerSelectionTimeoutError, match="refused"),
    ):
        client.admin.command("ping")
