"""The split is stable: a customer stays on its side while others arrive, leave or change."""

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformation
import validation
from pipeline.data.ids import split_shares
from project import ROOT, environment
from stages import Folder, document, row

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.database import Database

# The hash of an id must never change, on any machine.
PINNED = {
    "C-00001": 0.4054430688624237,
    "C-00004": 0.036523171012302624,
    "C-06000": 0.6298783714642481,
    "42": 0.8192771706663636,
    "65a1b2c3d4e5f6a7b8c9d0e1": 0.7805364567278825,
    "Zoë": 0.7208008709580175,
    "": 0.7857693833131746,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A working directory with the small contract."""
    return Folder(tmp_path, monkeypatch)


def sides(
    folder: Folder, database: Database[dict[str, Any]], rows_per_part: int = 50
) -> tuple[set[str], set[str]]:
    """Ingest, validate and transform the collection; return the ids of the train and of the test side."""
    folder.ingest(database, rows_per_part)
    validation.main()
    transformation.main()
    train, test = ([one["_id"] for one in folder.rows(f"features/{side}")] for side in ("train", "test"))
    assert len(set(train)) == len(train)
    assert len(set(test)) == len(test)
    assert not set(train) & set(test)
    assert len(train) + len(test) == database.customers.count_documents({})
    return set(train), set(test)


CHANGES: dict[str, Callable[[Database[dict[str, Any]]], Any]] = {
    "appended": lambda db: db.customers.insert_many([document(row(i)) for i in range(300, 350)]),
    "inserted before and between": lambda db: db.customers.insert_many(
        [
            document(row(i) | {"_id": f"{start}-{i:07d}"})
            for i in range(25)
            for start in ("A", "T-0000000", "Z")
        ]
    ),
    "deleted": lambda db: db.customers.delete_many({"_id": {"$lt": "T-0000125"}}),
    "edited": lambda db: db.customers.update_many({}, {"$set": {"billing.monthly_charges": 20.0}}),
    "written again in another order": lambda db: (
        db.customers.delete_many({}),
        db.customers.insert_many(
            random.Random(1).sample([document(row(i)) for i in range(300)], 300), ordered=True
        ),
    ),
    "not changed": lambda _: None,
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_customer_changes_sides(folder: Folder, database: Database[dict[str, Any]], change: str) -> None:
    database.customers.insert_many([document(row(i)) for i in range(300)])
    train, test = sides(folder, database)

    CHANGES[change](database)
    # The division into parts may differ.
    later_train, later_test = sides(folder, database, rows_per_part=20)

    assert not train & later_test
    assert not test & later_train
    assert len((train & later_train) | (test & later_test)) >= 175


def test_larger_test_side_keeps_its_customers(folder: Folder, database: Database[dict[str, Any]]) -> None:
    database.customers.insert_many([document(row(i)) for i in range(300)])
    _, test = sides(folder, database)

    folder.set(transformation={"test_size": 0.3})
    _, larger = sides(folder, database)

    assert test < larger


IDS = {
    "the sample": [f"C-{i:05d}" for i in range(1, 6001)],
    "the whole sample": [f"C-{i:05d}" for i in range(1, 7044)],
    "c1, c2": [f"c{i}" for i in range(6000)],
    "numbers": [str(i) for i in range(6000)],
    "padded": [f"C-{i:06d}" for i in range(6000)],
    "of the tests": [f"T-{i:07d}" for i in range(6000)],
    "of the tests, many": [f"T-{i:07d}" for i in range(100_000)],
}


@pytest.mark.parametrize("ids", IDS)
def test_the_test_side_has_its_share(ids: str) -> None:
    share = np.mean(split_shares(pa.chunked_array([IDS[ids]])) < 0.2)

    # Within one percent of the share, less than chance allows: the salt was chosen for that.
    assert share == pytest.approx(0.2, rel=0.01)


@given(test_size=st.floats(0.05, 0.95), start=st.integers(0, 10**9))
def test_any_share_of_any_ids(test_size: float, start: int) -> None:
    ids = [f"customer {number}" for number in range(start, start + 2000)]
    share = np.mean(split_shares(pa.chunked_array([ids])) < test_size)

    # Six standard deviations.
    assert share == pytest.approx(test_size, abs=6 * 0.5 / 2000**0.5)


def test_the_hash_is_the_same_on_every_machine() -> None:
    assert split_shares(pa.chunked_array([[*PINNED]])).tolist() == [*PINNED.values()]


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_hash_does_not_depend_on_the_process(seed: str) -> None:
    code = (
        "import pyarrow as pa; from pipeline.data.ids import split_shares; "
        f"print(split_shares(pa.chunked_array([{list(PINNED)}])).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(PYTHONPATH="src", PYTHONHASHSEED=seed),
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == str(list(PINNED.values()))
