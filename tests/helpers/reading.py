"""Ingestion in the test's own process, and its results."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingestion import ingest
from pipeline.config.contract import Contract
from pipeline.config.parameters import load
from pipeline.source.parameters import IngestionParameters
from project import PARAMS

import pyarrow.parquet as pq
from bson import json_util
from pymongo.database import Database

Document = dict[str, Any]


@dataclass
class Read:
    """The result of ingestion: its two counts, and the folder that it wrote to."""

    accepted: int
    rejected: int
    folder: Path

    @property
    def parts(self) -> list[Path]:
        """The parts, in the order of their names."""
        return sorted((self.folder / "raw").glob("*.parquet"))

    @property
    def rows(self) -> list[Document]:
        """The accepted rows, part after part."""
        return [row for part in self.parts for row in pq.read_table(part).to_pylist()]

    @property
    def rejections(self) -> list[Document]:
        """The lines of the file of rejected documents."""
        lines = (self.folder / "rejected.jsonl").read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines if line]

    @property
    def reasons(self) -> dict[Any, list[str]]:
        """The reasons of each rejected document, by its `_id`."""
        return {line["document"]["_id"]: line["reasons"] for line in self.rejections}


def read(database: Database[Document], folder: Path, contract: Contract, **ingestion: Any) -> Read:
    """Ingest `database`.customers into `folder`; keywords are keys of the section `ingestion`."""
    keys = {"source": "mongodb", "database": database.name, "collection": "customers"} | ingestion
    parameters = IngestionParameters(**keys)
    counts = ingest(database.client, parameters, contract, folder / "raw", folder / "rejected.jsonl")
    return Read(*counts, folder)


def customer_contract(**changes: Any) -> Contract:
    """Return the contract of the customers, with changes."""
    contract = load("schema", Contract, PARAMS)
    return Contract.model_validate(contract.model_dump(exclude_none=True) | changes)


def relaxed(document: Document) -> Document:
    """Return a document as in a file of rejected documents: relaxed extended JSON."""
    text = json_util.dumps(document, json_options=json_util.RELAXED_JSON_OPTIONS)
    return dict(json.loads(text))
