"""The triggers of a retrain: the cron line, and the script that follows the collection."""

import datetime
import http.server
import runpy
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deployment import DEPLOY, SECRET, Cron
from project import PARAMS, ROOT, environment

import pytest
from pymongo.collection import Collection
from pymongo.database import Database

Customers = Collection[dict[str, Any]]


@contextmanager
def recorded(*statuses: int) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Run a server that answers with these statuses in turn, then with the last; yield its requests."""
    asked: list[dict[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append({name.lower(): value for name, value in self.headers.items()} | {"path": self.path})
            self.send_response(statuses[min(len(asked), len(statuses)) - 1])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/train", asked
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "code"), [(202, 0), (409, 0), (401, 1), (422, 1)], ids=["taken", "running", "token", "order"]
)
def test_cron_line(tmp_path: Path, status: int, code: int) -> None:
    cron = Cron(tmp_path)

    with recorded(status) as (url, asked):
        before = datetime.date.today()  # noqa: DTZ011 - the day as cron's machine has it
        done = cron.run(url, SECRET)

    days = {f"night-{day}" for day in (before, datetime.date.today())}  # noqa: DTZ011
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout == ("" if code == 0 else f"POST {url}: {status}\n")
    assert [each["path"] for each in asked] == ["/train"]
    assert asked[0]["authorization"] == f"Bearer {SECRET}"
    assert asked[0]["idempotency-key"] in days
    assert SECRET not in (tmp_path / "argv").read_text()


@pytest.fixture(scope="module")
def trigger() -> dict[str, Any]:
    """Return the names of on_change.py."""
    return runpy.run_path(str(DEPLOY / "on_change.py"))


def test_trigger_waits_for_quiet_and_the_minimum_interval(trigger: dict[str, Any]) -> None:
    changes = trigger["Changes"](quiet=10, between=100)

    assert not changes.due(0), "nothing has changed"
    changes.note(0)
    changes.note(8)
    assert not changes.due(17), "it is not quiet"
    assert changes.due(18)
    changes.asked(18, accepted=True)
    assert not changes.due(500), "nothing has changed since"
    changes.note(30)
    assert not changes.due(117), "the last retrain is too near"
    assert changes.due(118)


def test_busy_collection_is_triggered_eventually(trigger: dict[str, Any]) -> None:
    changes = trigger["Changes"](quiet=10, between=100)

    for now in range(0, 100, 5):
        changes.note(now)
        assert not changes.due(now)
    changes.note(100)

    assert changes.due(100)


def test_refused_request_is_repeated_after_a_minute(trigger: dict[str, Any]) -> None:
    changes = trigger["Changes"](quiet=10, between=100)

    changes.note(0)
    changes.asked(10, accepted=False)

    assert not changes.due(69)
    assert changes.due(70)


@contextmanager
def following(folder: Path, uri: str, url: str) -> Iterator["subprocess.Popen[str]"]:
    """Run on_change.py in a folder with a params.yaml and short waits; its place is stored there."""
    process = subprocess.Popen(
        [sys.executable, DEPLOY / "on_change.py", "--quiet", "0.2", "--between", "0.3"],
        cwd=folder,
        env=environment(MONGODB_URI=uri, TRAIN_URL=url, TRAIN_API_TOKEN=SECRET, PYTHONPATH=str(ROOT / "src")),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, for twenty seconds at most."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def customers(database: Database[dict[str, Any]], tmp_path: Path) -> Customers:
    """The collection of the params.yaml in the test's folder."""
    text = PARAMS.read_text()
    assert text.count("database: crm") == 1
    (tmp_path / "params.yaml").write_text(text.replace("database: crm", f"database: {database.name}"))
    database.customers.insert_one({"_id": 0})
    return database.customers


@pytest.mark.slow
def test_changes_lead_to_one_request(customers: Customers, mongo_uri: str, tmp_path: Path) -> None:
    state = tmp_path / "on_change.json"
    with recorded(202) as (url, asked):
        # Given the first run: it sends one request, since earlier changes are unknown
        with following(tmp_path, mongo_uri, url):
            until(state.exists)
            assert len(asked) == 1
            # When many customers arrive, then it sends one more
            first = state.read_text()
            customers.insert_many([{"_id": number} for number in range(1, 50)])
            until(lambda: state.read_text() != first)
            assert len(asked) == 2
        # And changes while it is stopped are found at the next start
        second = state.read_text()
        customers.update_one({"_id": 1}, {"$set": {"churned": True}})
        with following(tmp_path, mongo_uri, url):
            until(lambda: state.read_text() != second)
            assert len(asked) == 3
            # And a collection that is dropped and created again is followed
            customers.drop()
            until(lambda: len(asked) == 4)
            customers.insert_one({"_id": 0})
            until(lambda: len(asked) == 5)

    assert len({each["idempotency-key"] for each in asked}) == len(asked)
    assert {each["authorization"] for each in asked} == {f"Bearer {SECRET}"}


@pytest.mark.slow
def test_running_job_is_waited_for_wrong_token_is_an_error(
    customers: Customers, mongo_uri: str, tmp_path: Path
) -> None:
    # Given a place in the stream that the server no longer knows
    (tmp_path / "on_change.json").write_text('{"_data": "00"}')

    with recorded(409, 503, 401) as (url, asked), following(tmp_path, mongo_uri, url) as process:
        output, _ = process.communicate(timeout=20)

    assert output.splitlines() == [f"POST {url}: 409", f"POST {url}: 503", f"on_change: POST {url}: 401"]
    assert process.returncode == 1
    assert len({each["idempotency-key"] for each in asked}) == 1
    assert SECRET not in output
    # A refused request is not forgotten
    assert (tmp_path / "on_change.json").read_text() == '{"_data": "00"}'


def test_missing_uri_is_one_line(tmp_path: Path) -> None:
    shutil.copy2(PARAMS, tmp_path)

    with following(tmp_path, "", "http://127.0.0.1:1/train") as process:
        output, _ = process.communicate(timeout=20)

    assert (process.returncode, output.count("\n")) == (1, 1)
    assert output.startswith("on_change: MONGODB_URI is not set")
