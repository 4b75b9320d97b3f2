"""Parts: their bytes depend on their rows alone, and their boundaries on the ids."""

import hashlib
from itertools import pairwise
from pathlib import Path

import ingestion
from customers import customer
from ingestion import names_of_parts
from pipeline.config.errors import PipelineError
from pipeline.data import parts
from pipeline.data.artifacts import parts as parts_of
from pipeline.data.ids import hashes, id_text
from pipeline.data.parts import PartWriter, write_part
from reading import Document, Read, customer_contract, read

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.database import Database

CUSTOMERS = [customer(number) for number in range(600)]


def names(ids: list[int], rows_per_part: int) -> list[str | None]:
    """Return the name of the part that each id starts, or None."""
    texts = pa.array(map(id_text, ids), pa.string())
    found = names_of_parts(texts, rows_per_part)
    return [found.get(row) for row in range(len(ids))]


def digests(done: Read) -> dict[str, str]:
    """The sha256 of each part, by its name."""
    return {part.name: hashlib.sha256(part.read_bytes()).hexdigest() for part in done.parts}


@pytest.fixture
def stored(database: Database[Document]) -> Database[Document]:
    database.customers.insert_many(CUSTOMERS)
    return database


@pytest.mark.parametrize("batch_rows", [7, 100, 5000])
def test_size_of_the_batches_changes_no_byte(
    stored: Database[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    usual = digests(read(stored, tmp_path / "usual", customer_contract(), rows_per_part=50))
    assert len(usual) > 5

    monkeypatch.setattr(ingestion, "BATCH_ROWS", batch_rows)

    assert digests(read(stored, tmp_path / "other", customer_contract(), rows_per_part=50)) == usual


def test_order_of_arrival_changes_no_byte(stored: Database[Document], tmp_path: Path) -> None:
    usual = digests(read(stored, tmp_path / "usual", customer_contract(), rows_per_part=50))

    stored.customers.drop()
    stored.customers.insert_many(reversed(CUSTOMERS))

    assert digests(read(stored, tmp_path / "reversed", customer_contract(), rows_per_part=50)) == usual


@pytest.mark.parametrize("place", [0, 300, 598], ids=["first", "in the middle", "nearly last"])
def test_a_changed_customer_changes_one_part(stored: Database[Document], tmp_path: Path, place: int) -> None:
    identity = CUSTOMERS[place]["_id"]
    versions = [digests(read(stored, tmp_path / "0", customer_contract(), rows_per_part=50))]

    for change in (
        lambda: stored.customers.update_one({"_id": identity}, {"$set": {"billing.monthly_charges": 1}}),
        lambda: stored.customers.insert_one(customer(1, _id=identity + "a")),
        lambda: stored.customers.delete_one({"_id": identity}),
    ):
        change()
        versions.append(digests(read(stored, tmp_path / "1", customer_contract(), rows_per_part=50)))

    for before, after in pairwise(versions):
        # A customer that starts a part moves the boundary: two parts become one, or one becomes two.
        assert 1 <= len(after.items() - before.items()) <= 2
        assert len(after.items() ^ before.items()) <= 3
        assert len(before.items() & after.items()) >= 5


def test_parts_are_in_the_order_of_the_ids(stored: Database[Document], tmp_path: Path) -> None:
    done = read(stored, tmp_path, customer_contract(), rows_per_part=50)

    assert [row["_id"] for row in done.rows] == sorted(source["_id"] for source in CUSTOMERS)
    assert parts_of(tmp_path / "raw") == done.parts


@given(numbers=st.sets(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=300), size=st.integers(1, 50))
def test_names_sort_as_the_ids_they_start_with(numbers: set[int], size: int) -> None:
    starts = [name for name in names(sorted(numbers), size) if name is not None]

    assert starts == sorted(starts)
    assert len(set(starts)) == len(starts)
    assert min(starts, default="~") > parts.FIRST_PART


@given(st.lists(st.integers(0, 2**40), unique=True, min_size=2, max_size=200), st.integers(1, 20))
def test_part_boundary_depends_on_the_id_alone(numbers: list[int], size: int) -> None:
    alone = [name for number in numbers for name in names([number], size)]

    assert names(numbers, size) == alone


def test_boundaries_are_stable() -> None:
    # Another hash would change all boundaries: all data would be stored and sent again.
    texts = pa.array(["C-", "C-00001", "", "42", "5"])
    assert hashes(texts, b"part")[[1, 3]].tolist() == [13067662043224787883, 7386272365880378744]
    assert hashes(texts[1:4], b"part").tolist() == hashes(texts, b"part")[1:4].tolist()
    assert len(hashes(texts[:0], b"part")) == 0


def test_parts_have_the_asked_average_size() -> None:
    starts = [name for name in names(list(range(100_000)), 500) if name]

    assert 170 < len(starts) < 230  # 200 plus or minus two standard deviations


SCHEMA = pa.schema([("_id", pa.string()), ("value", pa.float64()), ("text", pa.string())])


def table(start: int, stop: int) -> pa.Table:
    """Return the rows of a range; a row does not depend on the range."""
    numbers = list(range(start, stop))
    texts = [f"a longer text, to fill pages {number % 977}" for number in numbers]
    return pa.table([[f"{n:09d}" for n in numbers], [n / 7 for n in numbers], texts], schema=SCHEMA)


def write(folder: Path, sizes: list[int], starts: dict[int, str] | None = None) -> dict[str, bytes]:
    """Write 1,000 rows in batches of the given sizes, and return the bytes of the parts by name."""
    folder.mkdir()
    with PartWriter(folder, SCHEMA) as writer:
        row = 0
        for size in sizes:
            names = {start - row: name for start, name in (starts or {}).items() if row <= start < row + size}
            writer.write(table(row, row + size), names)
            row += size
    return {part.name: part.read_bytes() for part in folder.iterdir()}


@pytest.mark.parametrize("row_group", [64, 250, 1000, 65_536])
def test_row_groups_are_cut_by_count_not_by_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row_group: int
) -> None:
    monkeypatch.setattr(parts, "ROW_GROUP", row_group)
    starts = {300: "part-3.parquet", 301: "part-4.parquet"}

    whole = write(tmp_path / "whole", [1000], starts)

    assert write(tmp_path / "many", [1] * 1000, starts) == whole
    assert write(tmp_path / "uneven", [300, 0, 1, 64, 135, 500], starts) == whole
    assert set(whole) == {"part-0.parquet", "part-3.parquet", "part-4.parquet"}
    write_part(table(301, 1000), tmp_path / "alone.parquet")
    assert (tmp_path / "alone.parquet").read_bytes() == whole["part-4.parquet"]
    groups = pq.ParquetFile(tmp_path / "whole" / "part-4.parquet").metadata
    assert groups.num_row_groups == -(-699 // row_group)


def test_writer_holds_one_row_group_and_one_batch(tmp_path: Path) -> None:
    held, allocated, batch = [], [], 10_000
    before = pa.total_allocated_bytes()
    with PartWriter(tmp_path, SCHEMA) as writer:
        for start in range(0, 400_000, batch):
            rows = table(start, start + batch)
            writer.write(rows, {})
            held.append(sum(len(pending) for pending in writer._pending))
            allocated.append((pa.total_allocated_bytes() - before) / rows.nbytes)

    assert max(held) < parts.ROW_GROUP
    # In batches: eight of a row group, the current one, and the buffer of the Parquet writer.
    assert max(allocated) < 20
    assert pq.read_table(tmp_path / parts.FIRST_PART)["_id"].to_pylist()[-1] == "000399999"


def test_no_rows_are_one_empty_part(tmp_path: Path) -> None:
    for name, batches in {"none": [], "empty": [0]}.items():
        assert set(write(tmp_path / name, batches)) == {parts.FIRST_PART}
        assert pq.read_schema(tmp_path / name / parts.FIRST_PART).equals(SCHEMA)


def test_two_rows_that_start_the_same_part_do_not_overwrite_each_other(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"two rows start the part part-3\.parquet"):
        write(tmp_path / "parts", [1000], {300: "part-3.parquet", 500: "part-3.parquet"})
