"""Validation: artifacts/raw/ -> artifacts/validated/, artifacts/rejected/ and artifacts/validation.json.

Checks every row against the contract. Rows that break it go to artifacts/rejected/ with their reasons. Too
many of them, too few rows or a feature that leaks the target fail the stage, after the report is written.
"""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import IO, Any

from pipeline.checks.facts import Facts, merge
from pipeline.checks.leakage import suspicious
from pipeline.checks.parameters import ValidationParameters
from pipeline.checks.part import CheckedPart, check_part, span_of
from pipeline.checks.reasons import Reasons
from pipeline.checks.repeats import repeated_rows
from pipeline.checks.sample import sample
from pipeline.config.contract import load_contract
from pipeline.config.errors import PipelineError
from pipeline.config.parameters import load
from pipeline.config.stages import run_stage
from pipeline.data.artifacts import (
    RAW,
    REJECTED_BY_INGESTION,
    REJECTED_BY_VALIDATION,
    VALIDATED,
    VALIDATION_REPORT,
    parts,
)
from pipeline.data.atomic import atomic_file, atomic_folder, write_json
from pipeline.data.executor import part_executor

# The report names the reasons of this many columns.
REASONS = 20


def verdict(
    report: dict[str, Any],
    reasons: Reasons,
    scores: dict[str, float],
    parameters: ValidationParameters,
    target: str,
) -> str | None:
    """Return in one line why the data must not be trained on, or None.

    `report` is the report that `main` writes, `reasons` are those of all rejected documents, `scores` the ROC
    AUC of columns, and sums of columns, that alone rank the target well.
    """
    accepted, read = report["accepted"], report["read"]
    rejected = read - accepted
    if rejected / read > parameters.max_rejected:
        return (
            f"{rejected:,} of {read:,} documents rejected, a share of {rejected / read:.4g}, more than "
            f"validation.max_rejected {parameters.max_rejected}: {reasons.worst_columns()}; "
            f"all of them are in {REJECTED_BY_INGESTION.parent}/"
        )
    if accepted < parameters.min_rows:
        return f"{accepted:,} rows are fewer than validation.min_rows {parameters.min_rows:,}"
    if report["target"]["positives"] in (0, accepted):
        which = "no row is" if report["target"]["positives"] == 0 else "every row is"
        return f"the target {target} has one class only: {which} positive"
    maximum = parameters.max_single_column_auc
    if leaks := {name: auc for name, auc in scores.items() if auc > maximum}:
        return (
            f"the target {target} leaks through {named(leaks)}, more than "
            f"validation.max_single_column_auc {maximum}: remove it from schema.columns, or raise that limit "
            "if its value is known when the model predicts"
        )
    return None


def named(scores: dict[str, float]) -> str:
    """Return the names of columns with the ROC AUC of each alone, the highest first."""
    ordered = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{name} (alone ROC AUC {auc:.4f})" for name, auc in ordered)


def gathered(checked: Iterable[CheckedPart], rejected: IO[bytes], counts: Counter[str]) -> Iterator[Facts]:
    """Yield the facts of each part; move its rejected rows to one file, and add its `counts` of rows."""
    for part in checked:
        with part.rejected.open("rb") as of_part:
            shutil.copyfileobj(of_part, rejected)
        part.rejected.unlink()
        counts.update(accepted=part.accepted, positives=part.positives)
        yield part.facts


def main() -> None:
    """Run the stage."""
    parameters, contract = load("validation", ValidationParameters), load_contract()
    paths, reasons, counts = [path.absolute() for path in parts(RAW)], Reasons(), Counter[str]()
    before = reasons.read(REJECTED_BY_INGESTION)
    with atomic_folder(VALIDATED) as folder, part_executor(len(paths)) as executor:
        spans = list(executor.map(partial(span_of, contract), paths))
        repeated = repeated_rows(paths, spans, contract.id, executor)
        check = partial(check_part, contract, folder.absolute())
        checked = executor.map(check, paths, [repeated.get(path, []) for path in paths])
        with atomic_file(REJECTED_BY_VALIDATION) as lines, lines.open("wb") as together:
            columns = merge(gathered(checked, together, counts), contract)
        accepted, positives = counts["accepted"], counts["positives"]
        classes = accepted - positives, positives
        rows = sample(sorted(folder.absolute().glob("*.parquet")), contract, classes, executor)
    here = reasons.read(REJECTED_BY_VALIDATION)
    report: dict[str, Any] = {
        "read": accepted + before + here,
        "accepted": accepted,
        "rejected": {"ingestion": before, "validation": here},
        "reasons": [
            [column, count, "; ".join(texts)] for column, count, texts in islice(reasons.by_column(), REASONS)
        ],
        "target": {"positives": positives, "positive_share": round(positives / max(accepted, 1), 6)},
        "columns": columns,
    }
    write_json(VALIDATION_REPORT, report)
    scores = suspicious(rows, contract, parameters.max_single_column_auc, classes)
    if problem := verdict(report, reasons, scores, parameters, contract.target.column):
        raise PipelineError(problem)
    if scores:
        print(
            f"validation: warning: {contract.target.column} is ranked well by {named(scores)}: make sure "
            "that its value is known when the model predicts"
        )
    print(f"validation: {report['read']:,} = accepted {accepted:,} + rejected {report['read'] - accepted:,}")


if __name__ == "__main__":
    run_stage(main)
