"""Checks a part against the contract: valid rows are kept, the others are written with their reasons."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.checks.facts import Facts, part_facts
from pipeline.checks.repeats import Span, span
from pipeline.checks.rules import row_problems
from pipeline.checks.sample import positive
from pipeline.config.contract import Contract
from pipeline.config.errors import PipelineError
from pipeline.data.artifacts import RAW, rejection_line
from pipeline.data.ids import id_value
from pipeline.data.parts import write_part

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bson import DatetimeMS


@dataclass(frozen=True)
class CheckedPart:
    """The result of a part's check: accepted rows, positive ones, the file of rejected rows, the facts."""

    accepted: int
    positives: int
    rejected: Path
    facts: Facts


def span_of(contract: Contract, path: Path) -> Span:
    """Check that a part has the columns of the contract, and return the span of its ids.

    Raises:
        PipelineError: it has other columns, since params.yaml changed, or is not a Parquet file.
    """
    try:
        part = pq.ParquetFile(path)
        schema, wanted = part.schema_arrow, contract.arrow()
        if schema.equals(wanted):
            return span(part.read([contract.id], use_threads=False)[contract.id])
    except (pa.ArrowInvalid, OSError):
        raise PipelineError(
            f"{RAW / path.name} is damaged: run 'dvc checkout --force' or 'dvc repro'"
        ) from None
    others = ", ".join(sorted({field.name for field in {*schema} ^ {*wanted}}))
    raise PipelineError(
        f"{RAW / path.name} has other columns than the schema ({others or 'in order'}): read the "
        "source again, 'dvc repro ingestion', or keep the schema that this data was read with"
    )


def check_part(contract: Contract, folder: Path, path: Path, repeated: Sequence[int]) -> CheckedPart:
    """Check one part, and write its valid rows to `folder`; if all are valid, the file is copied.

    `repeated` are the rows that repeat the id of an earlier row. The rejected rows go to a file of JSON lines
    in `folder`, which the caller removes.
    """
    table = pq.ParquetFile(path).read(use_threads=False)
    problems = row_problems(table, contract)
    for row in repeated:
        problems.setdefault(row, []).append(f"{contract.id}: the id of another row already: duplicate")
    rejected = folder / f"{path.stem}.jsonl"
    with rejected.open("w", encoding="utf-8") as lines:
        # Row by row, since a text may have megabytes.
        for position in sorted(problems):
            document = document_at(position, table, contract)
            lines.write(rejection_line("validation", problems[position], document) + "\n")
    if problems:
        keep = np.ones(len(table), dtype=bool)
        keep[list(problems)] = False
        table = table.filter(pa.array(keep))
        if len(table):
            write_part(table, folder / path.name)
    else:
        shutil.copyfile(path, folder / path.name)
    positives = int(positive(table, contract).sum())
    return CheckedPart(len(table), positives, rejected, part_facts(table, contract))


def document_at(row: int, table: pa.Table, contract: Contract) -> dict[str, Any]:
    """Return a row as a nested document with the declared paths.

    Datetimes are `DatetimeMS` of BSON, whose range of years is larger.
    """
    values = {contract.id: id_value(table[contract.id][row].as_py())}
    for name, column in contract.columns.items():
        value = table[name][row]
        date = column.type == "datetime" and value.is_valid
        values[column.path] = DatetimeMS(value.value) if date else value.as_py()
    document: dict[str, Any] = {}
    for path, value in values.items():
        *parents, leaf = path.split(".")
        inner = document
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[leaf] = value
    return document
