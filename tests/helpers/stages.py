"""A small contract, rows that fit it, and a folder in which a stage's `main` runs in this process."""

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ingestion import ingest
from pipeline.config.contract import Contract
from pipeline.data import executor
from pipeline.data.artifacts import RAW, REJECTED_BY_INGESTION
from pipeline.data.parts import write_part
from pipeline.source.parameters import IngestionParameters

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymongo.database import Database
from ruamel.yaml import YAML

# A few of the columns of `customers.customer`.
SCHEMA: dict[str, Any] = {
    "target": {"column": "churned", "positive": True},
    "columns": {
        "contract": {
            "path": "account.contract",
            "type": "category",
            "values": ["month-to-month", "one year", "two year"],
        },
        "tenure_months": {"path": "account.tenure_months", "type": "integer", "minimum": 0, "maximum": 120},
        "paperless": {"path": "account.paperless_billing", "type": "boolean"},
        "monthly_charges": {"path": "billing.monthly_charges", "type": "number", "minimum": 0},
        "total_charges": {
            "path": "billing.total_charges",
            "type": "number",
            "minimum": 0,
            "nullable": True,
        },
        "churned": {"path": "churned", "type": "boolean"},
    },
}
Row = dict[str, Any]


def contract_with(**columns: Mapping[str, Any]) -> Contract:
    """Return the small contract with columns added, or replaced."""
    return Contract.model_validate(SCHEMA | {"columns": SCHEMA["columns"] | columns})


def target_and(**columns: Mapping[str, Any]) -> Contract:
    """Return a contract of a boolean target `y` and these columns; the path of each is its name."""
    declared = {"y": {"type": "boolean"}} | columns
    return Contract.model_validate(
        {
            "target": {"column": "y", "positive": True},
            "columns": {name: {"path": name} | dict(column) for name, column in declared.items()},
        }
    )


def row(number: int, **changes: Any) -> Row:
    """Return the row of a number that fits the small contract, with `changes`."""
    rng = random.Random(number)
    tenure, monthly = rng.randrange(0, 73), round(rng.uniform(18, 120), 2)
    contract = rng.choice(SCHEMA["columns"]["contract"]["values"])
    return {
        "_id": f"T-{number:07d}",
        "contract": contract,
        "tenure_months": tenure,
        "paperless": rng.random() < 0.6,
        "monthly_charges": monthly,
        "total_charges": round(monthly * tenure, 2) if tenure else None,
        "churned": rng.random() < (0.55 if contract == "month-to-month" else 0.12),
    } | changes


def table(rows: Sequence[Row], contract: Contract) -> pa.Table:
    """Make a table with the schema of a raw part."""
    return pa.Table.from_pylist(list(rows), schema=contract.arrow())


def split_share(text: str) -> float:
    """Return the hash of an id that decides its split, without the project's code."""
    digest = hashlib.blake2b(text.encode(), digest_size=7, person=b"stable-holdout").digest()
    return int.from_bytes(digest) / 2**56


class Folder:
    """The working directory: parameters, the parts of an earlier stage, results."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(root)
        # One part after the other in this process; test_executor.py shows that processes give the same bytes.
        monkeypatch.setattr(executor, "processors", lambda: 1)
        monkeypatch.delenv("DASK_SCHEDULER", raising=False)
        self.root = root
        self.parameters: dict[str, Any] = {
            "schema": SCHEMA,
            "validation": {"min_rows": 2},
            "transformation": {},
            "evaluation": {},
        }
        self.set()

    def set(self, **sections: Any) -> None:
        """Replace sections of params.yaml."""
        self.parameters |= sections
        YAML().dump(self.parameters, self.root.joinpath("params.yaml"))

    @property
    def contract(self) -> Contract:
        return Contract.model_validate(self.parameters["schema"])

    def write(self, folder: str, *parts: Sequence[Row]) -> None:
        """Write rows as the parts of artifacts/`folder`, and an empty file of ingestion's rejections."""
        place = self.root / "artifacts" / folder
        place.mkdir(parents=True, exist_ok=True)
        for number, rows in enumerate(parts):
            write_part(table(rows, self.contract), place / f"part-{number}.parquet")
        self.reject_before()

    def reject_before(self, *reasons: str) -> None:
        """Write a document that ingestion rejected for each of `reasons`."""
        rejected = self.root / "artifacts/rejected"
        rejected.mkdir(parents=True, exist_ok=True)
        lines = (
            f'{{"stage": "ingestion", "reasons": ["{reason}"], "document": {{}}}}\n' for reason in reasons
        )
        (rejected / "ingestion.jsonl").write_text("".join(lines))

    def ingest(self, database: Database[dict[str, Any]], rows_per_part: int) -> None:
        """Read `database`.customers as the stage ingestion does."""
        parameters = IngestionParameters(
            source="mongodb", database=database.name, collection="customers", rows_per_part=rows_per_part
        )
        ingest(database.client, parameters, self.contract, RAW, REJECTED_BY_INGESTION)

    def rows(self, folder: str) -> list[Row]:
        """Read the rows of all parts of artifacts/`folder`."""
        parts = sorted((self.root / "artifacts" / folder).glob("*.parquet"))
        return [row for part in parts for row in pq.read_table(part).to_pylist()]


def rejected() -> list[dict[str, Any]]:
    """Read what validation rejected."""
    return [json.loads(line) for line in Path("artifacts/rejected/validation.jsonl").read_text().splitlines()]


def report() -> dict[str, Any]:
    """Read validation's report."""
    found: dict[str, Any] = json.loads(Path("artifacts/validation.json").read_text())
    return found


def digests(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file of a folder, by its name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def failure(main: Callable[[], None], kind: type[Exception]) -> str:
    """Run a stage that must fail with `kind`, and return its message, which is one line."""
    with pytest.raises(kind) as caught:
        main()
    assert type(caught.value) is kind
    message = str(caught.value)
    assert message
    assert "\n" not in message
    return message


def document(row: Row) -> dict[str, Any]:
    """Return a row of the small contract as the nested document."""
    return {
        "_id": row["_id"],
        "account": {
            "contract": row["contract"],
            "tenure_months": row["tenure_months"],
            "paperless_billing": row["paperless"],
        },
        "billing": {"monthly_charges": row["monthly_charges"], "total_charges": row["total_charges"]},
        "churned": row["churned"],
    }
