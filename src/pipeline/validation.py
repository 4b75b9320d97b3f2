"""Validation: artifacts/raw/ -> artifacts/validated/, artifacts/rejected/ and artifacts/validation.json.

Holds every row against the contract. Rows that break it are kept aside with their reasons; too many of
them, too few rows or a feature that gives the target away fail the run, after the report is written.
"""

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from bson import DatetimeMS
from pydantic import Field

from pipeline.checks.facts import Facts, merge, part_facts
from pipeline.checks.leakage import target_copies
from pipeline.checks.rules import repeated_ids, row_problems
from pipeline.contract import Contract, load_contract
from pipeline.errors import PipelineError, run_main
from pipeline.executor import part_executor
from pipeline.outputs import (
    RAW,
    REJECTED_BY_INGESTION,
    REJECTED_BY_VALIDATION,
    VALIDATED,
    VALIDATION_REPORT,
    parts,
    rejection_line,
    whole,
    whole_folder,
    write_json,
)
from pipeline.parameters import Section, load
from pipeline.parts import write_part

EXAMPLES = 3


class ValidationParameters(Section):
    """The section `validation` of params.yaml."""

    max_rejected: float = Field(default=0.01, ge=0, le=1)
    min_rows: int = Field(default=1000, ge=2)


@dataclass(frozen=True)
class CheckedPart:
    """What is known of a part after its check: how many rows stay, the lines of those that do not, facts."""

    accepted: int
    rejected: list[str]
    facts: Facts


def check_columns(paths: list[Path], contract: Contract) -> None:
    """Look whether all parts have the columns of the contract.

    Raises:
        PipelineError: one does not, since params.yaml has changed, or is no Parquet file.
    """
    for path in paths:
        try:
            schema = pq.read_schema(path)
        except pa.ArrowInvalid:
            raise PipelineError(
                f"{RAW / path.name} is damaged: run 'dvc checkout --force' or 'dvc repro'"
            ) from None
        wanted = contract.arrow()
        if not schema.equals(wanted):
            others = ", ".join(sorted({field.name for field in {*schema} ^ {*wanted}}))
            raise PipelineError(
                f"{RAW / path.name} has other columns than the schema ({others or 'in order'}): read the "
                "source again, 'dvc repro ingestion', or keep the schema that this data was read with"
            )


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of `table`; a datetime is BSON's, which knows years that Python does not."""
    columns = {}
    for field in table.schema:
        if pa.types.is_timestamp(field.type):
            milliseconds = table[field.name].cast(pa.int64()).to_pylist()
            columns[field.name] = [None if value is None else DatetimeMS(value) for value in milliseconds]
        else:
            columns[field.name] = table[field.name].to_pylist()
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def document_of(row: dict[str, Any], contract: Contract) -> dict[str, Any]:
    """Put a flat row back into the shape that its document has, for the declared paths."""
    document: dict[str, Any] = {}
    for path, value in [
        (contract.id, row[contract.id]),
        *((column.path, row[name]) for name, column in contract.columns.items()),
    ]:
        *parents, leaf = path.split(".")
        inner = document
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[leaf] = value
    return document


def check_part(contract: Contract, folder: Path, path: Path, repeated: np.ndarray) -> CheckedPart:
    """Check one part and write what it keeps to `folder`: the same file if it keeps every row."""
    table = pq.read_table(path)
    problems = row_problems(table, contract)
    for row in np.flatnonzero(repeated):
        problems.setdefault(int(row), []).append(f"{contract.id}: the id of another row already: duplicate")
    broken = rows_of(table.take(pa.array(sorted(problems), pa.int64())))
    rejected = [
        rejection_line("validation", problems[position], document_of(row, contract))
        for position, row in zip(sorted(problems), broken, strict=True)
    ]
    if problems:
        keep = np.ones(len(table), dtype=bool)
        keep[list(problems)] = False
        table = table.filter(pa.array(keep))
        if len(table):
            write_part(table, folder / path.name)
    else:
        shutil.copyfile(path, folder / path.name)
    return CheckedPart(len(table), rejected, part_facts(table, contract))


def verdict(
    report: dict[str, Any],
    reasons: list[str],
    copies: list[str],
    parameters: ValidationParameters,
    target: str,
) -> str | None:
    """Return in one line why the data must not be trained on, or None.

    `report` is that of `main`; `reasons` are all reasons of all rejected documents.
    """
    accepted, read = report["accepted"], report["read"]
    rejected = read - accepted
    if rejected / read > parameters.max_rejected:
        return (
            f"{rejected:,} of {read:,} documents rejected, a share of {rejected / read:.4g}, more than "
            f"validation.max_rejected {parameters.max_rejected}: {worst_columns(reasons)}; "
            f"all of them are in {REJECTED_BY_INGESTION.parent}/"
        )
    if accepted < parameters.min_rows:
        return f"{accepted:,} rows are fewer than validation.min_rows {parameters.min_rows:,}"
    if report["target"]["positives"] in (0, accepted):
        side = "no row is" if report["target"]["positives"] == 0 else "every row is"
        return f"the target {target} has one class only: {side} positive"
    if copies:
        return f"the target {target} is given away by {', '.join(copies)}: remove it from schema.columns"
    return None


def worst_columns(reasons: list[str]) -> str:
    """Name the three columns with the most rejections, with examples of why."""
    columns = Counter(reason.partition(":")[0] for reason in reasons)
    said = []
    for column, count in sorted(columns.items(), key=lambda pair: (-pair[1], pair[0]))[:3]:
        texts = Counter(r.partition(": ")[2] for r in reasons if r.startswith(column + ":"))
        commonest = sorted(texts.items(), key=lambda pair: (-pair[1], pair[0]))
        examples = [" ".join(text.split())[:80] for text, _ in commonest]
        said.append(f"{column} {count:,} times ({'; '.join(examples[:EXAMPLES])})")
    return ", ".join(said)


def accepted_rows(contract: Contract) -> pd.DataFrame:
    """Read the target and the features of all rows that were kept; there may be none."""
    columns = [contract.target.column, *contract.features]
    tables = [pq.read_table(path, columns=columns) for path in sorted(VALIDATED.glob("*.parquet"))]
    frame: pd.DataFrame = pa.concat_tables(
        [contract.arrow().empty_table().select(columns), *tables]
    ).to_pandas()
    return frame


def reasons_in(path: Path) -> list[list[str]]:
    """Read the reasons of each rejected document of a rejected/*.jsonl file.

    Raises:
        PipelineError: there is no such file.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            return [json.loads(line)["reasons"] for line in lines]
    except FileNotFoundError:
        raise PipelineError(f"{path} is missing: run 'dvc repro', or 'dvc pull' to fetch it") from None


def main() -> None:
    """Run the stage."""
    parameters, contract = load("validation", ValidationParameters), load_contract()
    paths, before = [path.absolute() for path in parts(RAW)], reasons_in(REJECTED_BY_INGESTION)
    check_columns(paths, contract)
    with whole_folder(VALIDATED) as folder, part_executor(len(paths)) as executor:
        check = partial(check_part, contract, folder.absolute())
        checked = list(executor.map(check, paths, repeated_ids(paths, contract)))
        with whole(REJECTED_BY_VALIDATION) as lines:
            text = "".join(f"{line}\n" for part in checked for line in part.rejected)
            lines.write_text(text, encoding="utf-8")
    accepted = sum(part.accepted for part in checked)
    here = reasons_in(REJECTED_BY_VALIDATION)
    frame = accepted_rows(contract)
    positives = int((frame[contract.target.column] == contract.target.positive).sum())
    report: dict[str, Any] = {
        "read": accepted + len(before) + len(here),
        "accepted": accepted,
        "rejected": {"ingestion": len(before), "validation": len(here)},
        "target": {"positives": positives, "positive_share": round(positives / max(accepted, 1), 6)},
        "columns": merge([part.facts for part in checked], contract),
    }
    write_json(VALIDATION_REPORT, report)
    copies = target_copies(frame, contract)
    reasons = [reason for document in [*before, *here] for reason in document]
    if problem := verdict(report, reasons, copies, parameters, contract.target.column):
        raise PipelineError(problem)
    print(f"validation: {report['read']:,} = accepted {accepted:,} + rejected {report['read'] - accepted:,}")


if __name__ == "__main__":
    run_main("validation", main)
