"""The failures of validation: the one-line message, and the files for the analysis."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import validation
from pipeline.config.errors import PipelineError
from stages import SCHEMA, Folder, failure, rejected, report, row

import pytest

RAW = Path("artifacts/raw")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A working directory with the small contract."""
    return Folder(tmp_path, monkeypatch)


def failed() -> str:
    """Run the stage, which must fail with exit code 1, and return its line."""
    return failure(validation.main, PipelineError)


@pytest.mark.parametrize(("bad", "share", "passes"), [(29, 0.29, True), (7, 0.07, True), (30, 0.29, False)])
def test_the_largest_allowed_share_of_rejections_passes(
    folder: Folder, bad: int, share: float, passes: bool
) -> None:
    # In doubles, 0.29 * 100 is less than 29; 29 of 100 must pass. Ingestion's rejections count too.
    folder.set(validation={"min_rows": 2, "max_rejected": share})
    folder.write("raw", [row(i, monthly_charges=-1.0 if i < bad - 2 else 1.0 + i) for i in range(98)])
    folder.reject_before("tenure_months: is a string, not an integer", "churned: is missing")

    if passes:
        validation.main()
    else:
        message = "30 of 100 documents rejected, a share of 0.3, more than validation.max_rejected 0.29: "
        assert message in failed()

    assert (report()["read"], report()["accepted"]) == (100, 100 - bad)
    assert report()["rejected"] == {"ingestion": 2, "validation": bad - 2}


def test_too_many_rejections_name_the_worst_columns_with_examples(folder: Folder) -> None:
    rows = [row(number) for number in range(100)]
    for number in range(10):
        rows[number]["tenure_months"] = 121 + number % 4
    for number in range(5, 11):
        rows[number]["contract"] = "a\nb"
    rows[50]["monthly_charges"] = -1.0
    rows[51]["total_charges"] = -1.0
    folder.write("raw", rows)
    folder.reject_before(*["contract: is a boolean, not a category (account.contract)"] * 7)

    message = failed()

    # The worst three columns, worst first, each with at most three examples.
    assert "20 of 107 documents rejected, a share of 0.1869" in message
    assert (
        "contract 13 times (is a boolean, not a category (account.contract); "
        "is 'a\\nb', not one of month-to-month, one year, two year), "
        "tenure_months 10 times (is 121, above the maximum 120; is 122, above the maximum 120; "
        "is 123, above the maximum 120), monthly_charges 1 times"
    ) in message
    assert "total_charges" not in message
    assert message.endswith("all of them are in artifacts/rejected/")
    # After the failure, all files exist.
    assert len(rejected()) == 13
    assert report()["accepted"] == 87


def test_nothing_accepted_is_one_line(folder: Folder) -> None:
    folder.write("raw", [row(number, tenure_months=-1) for number in range(5)])
    assert "5 of 5 documents rejected, a share of 1" in failed()
    assert len(rejected()) == 5
    assert report()["target"] == {"positives": 0, "positive_share": 0.0}

    folder.set(validation={"max_rejected": 1})
    assert failed() == "0 rows are fewer than validation.min_rows 1,000"


def test_everything_rejected_by_ingestion_is_one_line(folder: Folder) -> None:
    folder.write("raw", [])
    folder.reject_before("churned: is missing", "churned: is missing")

    assert "2 of 2 documents rejected, a share of 1, more than" in failed()
    assert report()["read"] == 2


def test_too_few_rows_fail(folder: Folder) -> None:
    folder.set(validation={"min_rows": 100})
    folder.write("raw", [row(number) for number in range(99)])
    assert failed() == "99 rows are fewer than validation.min_rows 100"

    folder.write("raw", [row(number) for number in range(100)])
    validation.main()


@pytest.mark.parametrize(("churned", "message"), [(True, "every row is"), (False, "no row is")])
def test_single_class_fails(folder: Folder, churned: bool, message: str) -> None:
    folder.write("raw", [row(number, churned=churned) for number in range(100)])

    assert failed() == f"the target churned has one class only: {message} positive"


def test_a_copy_of_the_target_fails_by_its_name(folder: Folder) -> None:
    columns = SCHEMA["columns"] | {"left": {"path": "left", "type": "category"}}
    folder.set(schema=SCHEMA | {"columns": columns})
    rows = [row(number) for number in range(100)]
    folder.write("raw", [one | {"left": "yes" if one["churned"] else "no"} for one in rows])

    assert failed() == (
        "the target churned leaks through left (alone ROC AUC 1.0000), more than "
        "validation.max_single_column_auc 0.99: remove it from schema.columns, or raise that limit if its "
        "value is known when the model predicts"
    )
    assert report()["accepted"] == 100


@pytest.mark.parametrize("prepare", ["missing", "empty", "no rejections"])
def test_missing_raw_data_has_advice(folder: Folder, prepare: str) -> None:
    if prepare == "empty":
        RAW.mkdir(parents=True)
    if prepare == "no rejections":
        folder.write("raw", [row(1)])
        Path("artifacts/rejected/ingestion.jsonl").unlink()

    message = failed()

    assert message.startswith("artifacts/")
    assert "run 'dvc repro'" in message


def test_raw_data_of_another_contract_is_refused(folder: Folder) -> None:
    folder.write("raw", [row(number) for number in range(10)])
    columns: Mapping[str, Any] = SCHEMA["columns"]

    for other, differ in (
        ({"columns": {name: columns[name] for name in reversed(columns)}}, "in order"),
        ({"id": "number"}, "_id, number"),
        ({"columns": {name: columns[name] for name in columns if name != "paperless"}}, "paperless"),
    ):
        folder.set(schema=SCHEMA | other)
        message = failed()
        assert message.startswith(
            f"artifacts/raw/part-0.parquet has other columns than the schema ({differ}): "
        )
        assert "'dvc repro ingestion'" in message


def test_a_damaged_part_is_named(folder: Folder) -> None:
    folder.write("raw", [row(number) for number in range(10)])
    (RAW / "part-1.parquet").write_bytes((RAW / "part-0.parquet").read_bytes()[:-1])

    assert "part-1.parquet is damaged: run 'dvc checkout --force'" in failed()
