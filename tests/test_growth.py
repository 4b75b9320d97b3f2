"""A hundred thousand customers: what is new, gone or edited changes the parts that it touches, no others.

The changes come one after the other to one collection, which is dear to make; each
compares before with after.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pymongo.database import Database

from pipeline import transformation, validation
from stages import Folder, digests, document, row

CUSTOMERS, ROWS_PER_PART = 100_000, 2000
RAW, VALIDATED = Path("artifacts/raw"), Path("artifacts/validated")
TRAIN, TEST = Path("artifacts/features/train"), Path("artifacts/features/test")


@dataclass(frozen=True)
class State:
    """The sha256 of each part by its name, in each folder, and the first id of each raw part."""

    raw: dict[str, str]
    validated: dict[str, str]
    train: dict[str, str]
    test: dict[str, str]
    starts: list[str]

    def holds(self, identity: str) -> str:
        """Name the part whose range an id lies in."""
        return list(self.raw)[max(bisect_right(self.starts, identity) - 1, 0)]


def state() -> State:
    """Look at what the stages have made."""
    starts = [pq.read_table(path, columns=["_id"])["_id"][0].as_py() for path in sorted(RAW.iterdir())]
    return State(digests(RAW), digests(VALIDATED), digests(TRAIN), digests(TEST), starts)


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Name the parts that are new, gone, or other bytes."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


class Collection:
    """The collection, and what the stages made of it last."""

    def __init__(self, database: Database[dict[str, Any]], folder: Folder) -> None:
        self.customers = database.customers
        self._database, self._folder = database, folder
        self.customers.insert_many([document(row(i)) for i in range(CUSTOMERS)], ordered=False)
        self.state = self._run()

    def _run(self) -> State:
        self._folder.ingest(self._database, ROWS_PER_PART)
        validation.main()
        transformation.main()
        return state()

    def after(self, *changes: Callable[[], Any]) -> tuple[State, State]:
        """Make the changes and run the stages; return the state before and after."""
        before = self.state
        for change in changes:
            change()
        self.state = self._run()
        return before, self.state


def test_changes_change_the_parts_that_they_touch(
    database: Database[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = Collection(database, Folder(tmp_path, monkeypatch))

    a_thousand_new_customers_at_the_end_change_the_last_part(collection)
    scattered_changes_change_the_parts_that_they_touch(collection)


def a_thousand_new_customers_at_the_end_change_the_last_part(collection: Collection) -> None:
    new = [document(row(i)) for i in range(CUSTOMERS, CUSTOMERS + 1000)]

    before, after = collection.after(lambda: collection.customers.insert_many(new, ordered=False))

    # Parts of 2,000 on average, by the hashes of the ids.
    assert 40 <= len(before.raw) <= 60
    last = list(before.raw)[-1]
    new_parts = after.raw.keys() - before.raw.keys()
    assert changed(before.raw, after.raw) == {last} | new_parts
    assert len(new_parts) <= 3
    assert min(new_parts, default="z") > last
    # And so in all that follows.
    assert after.validated == after.raw
    for side in ("train", "test"):
        assert changed(getattr(before, side), getattr(after, side)) <= {last} | new_parts


def scattered_changes_change_the_parts_that_they_touch(collection: Collection) -> None:
    gone, edited = "T-0031234", "T-0076543"
    new = {f"T-00{number}x": row(number) for number in (12345, 12346, 54321)}
    names, starting = list(collection.state.raw), collection.state.starts
    assert not {gone, edited} & set(starting)

    before, after = collection.after(
        lambda: collection.customers.delete_one({"_id": gone}),
        lambda: collection.customers.update_one({"_id": edited}, {"$set": {"churned": True}}),
        lambda: collection.customers.update_one({"_id": edited}, {"$set": {"account.tenure_months": 73}}),
        lambda: collection.customers.insert_many([document(one) | {"_id": i} for i, one in new.items()]),
        # The customer who starts a part: without that one, two parts are one.
        lambda: collection.customers.delete_one({"_id": starting[2]}),
    )

    touched = {before.holds(identity) for identity in (gone, edited, *new)}
    joined = {names[1], names[2]}
    assert len(touched) == 4
    assert not touched & joined
    assert list(after.raw) == names[:2] + names[3:]
    assert changed(before.raw, after.raw) == touched | joined
    assert after.validated == after.raw
    # Each of the five is on one side only; a part has rows of both.
    sides = changed(before.train, after.train), changed(before.test, after.test)
    assert sides[0] | sides[1] == touched | joined
    assert sides[0] & sides[1] >= joined
    assert len(sides[0] - joined) + len(sides[1] - joined) <= 5
