"""Transformation as a stage: features and target of the train and the test side."""

from datetime import datetime
from pathlib import Path
from typing import Any

import transformation
from pipeline.config.contract import Contract
from pipeline.config.errors import PipelineError
from pipeline.data.features import features
from stages import SCHEMA, Folder, digests, failure, row, split_share, table, target_and

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

TRAIN, TEST = Path("artifacts/features/train"), Path("artifacts/features/test")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A working directory with the small contract."""
    return Folder(tmp_path, monkeypatch)


def target_of(kind: str, positive: Any, *values: Any) -> list[int]:
    """Return the target for the values of a column."""
    contract = Contract.model_validate(
        {
            "target": {"column": "y", "positive": positive},
            "columns": {"y": {"path": "y", "type": kind}, "x": {"path": "x", "type": "number"}},
        }
    )
    made = features(table([{"_id": "1", "y": value, "x": 1.0} for value in values], contract), contract)
    assert made["y"].type == pa.int8()
    found: list[int] = made["y"].to_pylist()
    return found


def test_the_target_is_1_where_it_is_positive() -> None:
    assert target_of("boolean", True, True, False) == [1, 0]
    assert target_of("boolean", False, True, False) == [0, 1]
    assert target_of("integer", 2, 1, 2, 3) == [0, 1, 0]
    assert target_of("category", "malignant", "benign", "malignant", "other") == [0, 1, 0]
    assert target_of("string", "yes", "yes", "no") == [1, 0]


def test_columns_are_kept_as_they_are() -> None:
    contract = target_and(
        integer={"type": "integer"},
        nullable_integer={"type": "integer", "nullable": True},
        number={"type": "number", "nullable": True},
        boolean={"type": "boolean", "nullable": True},
        category={"type": "category", "nullable": True},
        date={"type": "datetime", "nullable": True},
        text={"type": "string", "nullable": True},
    )
    full: dict[str, Any] = {
        "_id": "a",
        "y": True,
        "integer": 2**62 + 1,
        "nullable_integer": 7,
        "number": 0.1,
        "boolean": False,
        "category": "x",
        "date": datetime.fromisoformat("2026-01-31T10:20:30.123"),
        "text": "free",
    }
    empty = dict.fromkeys(full) | {"_id": "b", "y": False, "integer": 1}
    before = table([full, empty], contract)

    made = features(before, contract)

    # scikit-learn has no null integer, so the column is a double.
    assert made.to_pylist() == [full | {"y": 1, "nullable_integer": 7.0}, empty | {"y": 0}]
    assert made.column_names == before.column_names
    changed = [field.name for field in made.schema if field.type != before.schema.field(field.name).type]
    assert changed == ["y", "nullable_integer"]


def test_a_nullable_integer_beyond_the_doubles_is_rounded() -> None:
    contract = target_and(x={"type": "integer", "nullable": True})

    made = features(table([{"_id": "a", "y": True, "x": 2**53 + 1}], contract), contract)

    assert made["x"].to_pylist() == [2.0**53]


def test_each_row_is_on_one_side(folder: Folder) -> None:
    rows = [row(number) for number in range(300)]
    folder.write("validated", rows[:120], rows[120:200], rows[200:])

    transformation.main()

    train, test = folder.rows("features/train"), folder.rows("features/test")
    on_test_side = {one["_id"] for one in rows if split_share(one["_id"]) < 0.2}
    assert [one["_id"] for one in test] == [one["_id"] for one in rows if one["_id"] in on_test_side]
    assert [one["_id"] for one in train] == [one["_id"] for one in rows if one["_id"] not in on_test_side]
    by_id = {one["_id"]: one for one in rows}
    for one in [*train, *test]:
        assert one == by_id[one["_id"]] | {"churned": int(by_id[one["_id"]]["churned"])}
    for number, size in enumerate((120, 80, 100)):
        name = f"part-{number}.parquet"
        assert pq.read_metadata(TRAIN / name).num_rows + pq.read_metadata(TEST / name).num_rows == size


def test_empty_part_of_a_side_has_no_file(folder: Folder) -> None:
    rows = [row(number) for number in range(300)]
    test = [one for one in rows if split_share(one["_id"]) < 0.2]
    train = [one for one in rows if split_share(one["_id"]) >= 0.2]
    folder.write("validated", test[:5], train, [], test[5:])

    transformation.main()

    assert list(digests(TRAIN)) == ["part-1.parquet"]
    assert list(digests(TEST)) == ["part-0.parquet", "part-3.parquet"]


@pytest.mark.parametrize("test_size", [0.000001, 0.999999])
def test_empty_side_fails_and_keeps_the_features(folder: Folder, test_size: float) -> None:
    folder.write("validated", [row(number) for number in range(100)])
    transformation.main()
    before = digests(TRAIN), digests(TEST)
    folder.set(transformation={"test_size": test_size})

    message = failure(transformation.main, PipelineError)

    assert message.startswith(f"transformation.test_size {test_size} leaves ")
    assert (digests(TRAIN), digests(TEST)) == before


def test_missing_validated_data_has_advice(folder: Folder) -> None:
    message = failure(transformation.main, PipelineError)

    assert message.startswith("artifacts/validated holds no Parquet part: run 'dvc repro'")


def test_another_id_column_is_kept_and_hashed(folder: Folder) -> None:
    folder.set(schema=SCHEMA | {"id": "account.number"})
    rows = [row(number) for number in range(100)]
    rows = [{"account.number": one.pop("_id")} | one for one in rows]
    folder.write("validated", rows)

    transformation.main()

    test = folder.rows("features/test")
    assert {one["account.number"] for one in test} == {
        one["account.number"] for one in rows if split_share(one["account.number"]) < 0.2
    }


def test_second_run_gives_the_same_bytes(folder: Folder) -> None:
    folder.write("validated", [row(number) for number in range(100)])
    outputs = []
    for _ in range(2):
        transformation.main()
        outputs.append((digests(TRAIN), digests(TEST)))

    assert outputs[0] == outputs[1]
