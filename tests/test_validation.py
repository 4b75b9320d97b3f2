"""Validation as a stage: what it keeps, what it rejects, and what it reports."""

import math
import random
import shutil
import subprocess
import sys
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import validation
from pipeline.config.errors import PipelineError
from project import ROOT, environment
from stages import SCHEMA, Folder, digests, failure, rejected, report, row

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

RAW, VALIDATED = Path("artifacts/raw"), Path("artifacts/validated")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A working directory with the small contract."""
    return Folder(tmp_path, monkeypatch)


def test_good_data_passes_as_the_same_files(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.write("raw", *([row(number) for number in range(at, at + 50)] for at in (0, 50, 100)))

    validation.main()

    assert digests(VALIDATED) == digests(RAW)
    assert rejected() == []
    assert report()["read"] == report()["accepted"] == 150
    assert capsys.readouterr().out == "validation: 150 = accepted 150 + rejected 0\n"


def test_bad_row_is_rejected_whole(folder: Folder) -> None:
    folder.set(validation={"min_rows": 2, "max_rejected": 0.1})
    good = [row(number) for number in range(100)]
    bad = row(20, tenure_months=121, contract="weekly", total_charges=None)
    folder.write("raw", good[:20], [bad, *good[21:60]], good[60:])

    validation.main()

    # The document is rebuilt from the paths of the contract.
    (line,) = rejected()
    assert line == {
        "stage": "validation",
        "reasons": [
            "contract: is 'weekly', not one of month-to-month, one year, two year",
            "tenure_months: is 121, above the maximum 120",
        ],
        "document": {
            "_id": "T-0000020",
            "account": {
                "contract": "weekly",
                "tenure_months": 121,
                "paperless_billing": bad["paperless"],
            },
            "billing": {"monthly_charges": bad["monthly_charges"], "total_charges": None},
            "churned": bad["churned"],
        },
    }
    assert folder.rows("validated") == good[:20] + good[21:]
    raw, validated = digests(RAW), digests(VALIDATED)
    assert [name for name in raw if raw[name] != validated[name]] == ["part-1.parquet"]


def test_a_part_without_a_good_row_has_no_file(folder: Folder) -> None:
    folder.set(validation={"min_rows": 2, "max_rejected": 1})
    folder.write("raw", [row(1, tenure_months=-1)], [row(number) for number in range(2, 60)])

    validation.main()

    assert [path.name for path in sorted(VALIDATED.iterdir())] == ["part-1.parquet"]
    assert report()["accepted"] == 58


def test_repeated_id_is_rejected_once(folder: Folder) -> None:
    folder.set(validation={"min_rows": 2, "max_rejected": 0.1})
    rows = [row(number) for number in range(100)]
    folder.write("raw", rows[:50], [*rows[50:], row(7, tenure_months=3)])

    validation.main()

    (line,) = rejected()
    assert line["reasons"] == ["_id: the id of another row already: duplicate"]
    assert (line["document"]["_id"], line["document"]["account"]["tenure_months"]) == ("T-0000007", 3)
    assert folder.rows("validated") == rows


def test_dates_beyond_python_are_kept(folder: Folder) -> None:
    columns = SCHEMA["columns"] | {"opened": {"path": "opened", "type": "datetime", "nullable": True}}
    folder.set(schema=SCHEMA | {"columns": columns}, validation={"min_rows": 2, "max_rejected": 1})
    rows = [row(number, opened=datetime.fromisoformat("2026-01-31T10:20:30.123")) for number in range(50)]
    folder.write("raw", [*rows, row(50, opened=None, tenure_months=-1), row(51, tenure_months=-1)])
    # In the year 12000.
    table = pq.read_table(RAW / "part-0.parquet")
    times = [*table["opened"].cast(pa.int64()).to_pylist()[:-1], 316_516_204_800_000]
    opened = pa.array(times, pa.int64()).cast(pa.timestamp("ms"))
    pq.write_table(
        table.set_column(table.schema.get_field_index("opened"), "opened", opened), RAW / "part-0.parquet"
    )

    validation.main()

    assert [line["document"]["opened"] for line in rejected()] == [
        None,
        {"$date": {"$numberLong": "316516204800000"}},
    ]
    assert report()["columns"]["opened"]["maximum"] == "2026-01-31T10:20:30.123"


def test_nan_is_no_null_and_stays_nan_in_the_rejected_document(folder: Folder) -> None:
    folder.set(validation={"min_rows": 2, "max_rejected": 0.5})
    rows = [row(number) for number in range(50)]
    folder.write("raw", [*rows, row(50, total_charges=math.nan), row(51, total_charges=None)])

    validation.main()

    (line,) = rejected()
    assert line["reasons"] == ["total_charges: is nan, not a finite number"]
    assert line["document"]["billing"]["total_charges"] == {"$numberDouble": "NaN"}
    assert folder.rows("validated")[-1]["total_charges"] is None


def test_the_report_has_the_shares_of_the_accepted_rows(folder: Folder) -> None:
    folder.set(validation={"min_rows": 2, "max_rejected": 0.5})
    rows = [row(number) for number in range(200)]
    folder.write("raw", rows[:120], [*rows[120:], row(900, tenure_months=-1)])

    validation.main()

    found = report()
    # The same as text, for the report of evaluation.
    assert found["reasons"] == [["tenure_months", 1, "is -1, below the minimum 0"]]
    positives = sum(one["churned"] for one in rows)
    assert found["target"] == {"positives": positives, "positive_share": round(positives / 200, 6)}
    assert found["columns"]["tenure_months"]["minimum"] == min(one["tenure_months"] for one in rows)
    nulls = sum(one["total_charges"] is None for one in rows)
    assert found["columns"]["total_charges"]["null_share"] == round(nulls / 200, 6)


def test_nested_id_is_restored(folder: Folder) -> None:
    folder.set(schema=SCHEMA | {"id": "account.number"}, validation={"min_rows": 2, "max_rejected": 0.1})
    rows = [row(number) for number in range(100)]
    rows = [{"account.number": one.pop("_id")} | one for one in [*rows, rows[7] | {"churned": True}]]
    folder.write("raw", rows[:50], rows[50:])

    validation.main()

    (line,) = rejected()
    assert line["reasons"] == ["account.number: the id of another row already: duplicate"]
    assert line["document"]["account"]["number"] == "T-0000007"
    assert folder.rows("validated") == rows[:100]


def test_the_division_into_parts_changes_neither_report_nor_verdict(folder: Folder) -> None:
    folder.set(validation={"min_rows": 2, "max_rejected": 0.5})
    rows = [row(number, tenure_months=-1 if number % 7 == 0 else number % 60) for number in range(200)]
    rows.insert(150, row(149))
    rng, outputs = random.Random(0), []
    for number in range(6):
        # Two of the divisions have a leak.
        for one in rows:
            one["monthly_charges"] = float(one["churned"]) + 1 if number > 3 else 20.0 + len(one["contract"])
        cuts = sorted(rng.choices(range(len(rows)), k=(0, 1, 5, 9, 0, 7)[number]))
        shutil.rmtree("artifacts", ignore_errors=True)
        folder.write("raw", *(rows[start:stop] for start, stop in pairwise([0, *cuts, len(rows)])))

        if number > 3:
            outputs.append((failure(validation.main, PipelineError), rejected(), report()))
        else:
            validation.main()
            outputs.append((folder.rows("validated"), rejected(), report()))

    assert outputs[:4] == [outputs[0]] * 4
    assert outputs[4] == outputs[5]
    assert outputs[4][0].startswith("the target churned leaks through monthly_charges (alone ROC AUC 1.0000)")
    assert len(outputs[0][1]) == 30


def test_second_run_gives_the_same_bytes(folder: Folder) -> None:
    folder.set(validation={"min_rows": 2, "max_rejected": 0.5})
    folder.write("raw", [row(number, tenure_months=number) for number in range(150)])
    outputs = []
    for _ in range(2):
        validation.main()
        outputs.append(
            (
                digests(VALIDATED),
                digests(Path("artifacts/rejected")),
                Path("artifacts/validation.json").read_bytes(),
            )
        )

    assert outputs[0] == outputs[1]


@pytest.mark.slow
def test_rejected_file_does_not_depend_on_the_locale(folder: Folder) -> None:
    # Given a value outside ASCII, and an ASCII locale
    folder.set(validation={"min_rows": 2, "max_rejected": 0.1})
    folder.write("raw", [row(number) for number in range(99)] + [row(99, contract="zwölf Monate")])
    ascii_only = {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONPATH": str(ROOT / "src"),
    }

    subprocess.run(
        [sys.executable, f"{ROOT}/src/validation.py"],
        cwd=folder.root,
        env=environment(**ascii_only),
        check=True,
    )

    (line,) = rejected()
    assert line["document"]["account"]["contract"] == "zwölf Monate"
