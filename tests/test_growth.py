"""Twenty thousand customers: new, deleted and edited ones change only the parts that they belong to.

All changes are in one test, since a collection of this size takes long to create and to read.
"""

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformation
import validation
from stages import Folder, digests, document, row

import pyarrow.parquet as pq
import pytest
from pymongo.database import Database

CUSTOMERS, ROWS_PER_PART = 20_000, 400
RAW, VALIDATED = Path("artifacts/raw"), Path("artifacts/validated")
TRAIN, TEST = Path("artifacts/features/train"), Path("artifacts/features/test")


@dataclass(frozen=True)
class State:
    """The sha256 of each part by name, in each folder, and the first id of each raw part."""

    raw: dict[str, str]
    validated: dict[str, str]
    train: dict[str, str]
    test: dict[str, str]
    starts: list[str]

    def holds(self, identity: str) -> str:
        """Return the name of the part whose range contains an id."""
        return list(self.raw)[max(bisect_right(self.starts, identity) - 1, 0)]


def state() -> State:
    """Return the outputs of the stages."""
    starts = [pq.read_table(path, columns=["_id"])["_id"][0].as_py() for path in sorted(RAW.iterdir())]
    return State(digests(RAW), digests(VALIDATED), digests(TRAIN), digests(TEST), starts)


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Return the names of the parts that are new, deleted or changed."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


@pytest.mark.slow
def test_changed_rows_change_their_parts_only(
    database: Database[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, customers = Folder(tmp_path, monkeypatch), database.customers
    customers.insert_many([document(row(i)) for i in range(CUSTOMERS)], ordered=False)
    before = run(folder, database)
    # Parts of 400 on average, by the hashes of the ids.
    assert 40 <= len(before.raw) <= 60
    names = list(before.raw)
    gone, edited = "T-0006234", "T-0015543"
    between = {f"T-00{number:05}x": row(number) for number in (2345, 2346, 10321)}
    assert not {gone, edited} & set(before.starts)

    # When 200 are added at the end and a few in between, one is edited, one is deleted,
    new = [document(row(i)) for i in range(CUSTOMERS, CUSTOMERS + 200)]
    new += [document(one) | {"_id": identity} for identity, one in between.items()]
    customers.insert_many(new, ordered=False)
    customers.update_one({"_id": edited}, {"$set": {"churned": True, "account.tenure_months": 73}})
    customers.delete_one({"_id": gone})
    # and one that starts a part is deleted, which joins two parts
    customers.delete_one({"_id": before.starts[2]})
    after = run(folder, database)

    # Then the last part changes, new parts follow it, and the parts of the other customers change
    last, joined = names[-1], {names[1], names[2]}
    new_parts = after.raw.keys() - before.raw.keys()
    assert len(new_parts) <= 3
    assert min(new_parts, default="z") > last
    touched = {before.holds(identity) for identity in (gone, edited, *between)}
    assert len(touched) == 4
    assert not touched & (joined | {last})
    assert list(after.raw) == names[:2] + names[3:] + sorted(new_parts)
    assert changed(before.raw, after.raw) == touched | joined | {last} | new_parts
    # and so do the parts of later folders, where each of the five is on one side only.
    assert after.validated == after.raw
    many = joined | {last} | new_parts
    sides = changed(before.train, after.train), changed(before.test, after.test)
    assert sides[0] | sides[1] == touched | many
    assert sides[0] & sides[1] >= many
    assert len(sides[0] - many) + len(sides[1] - many) <= 5


def run(folder: Folder, database: Database[dict[str, Any]]) -> State:
    """Run the first three stages, and return their outputs."""
    folder.ingest(database, ROWS_PER_PART)
    validation.main()
    transformation.main()
    return state()
