"""Compares the schema with documents: vanished and undeclared fields, rejected values, the verdict."""

from dataclasses import dataclass

from operations.schema.profile import Profile
from operations.schema.prove import Proof, prove
from operations.schema.reading import Documents
from operations.schema.table import read_text, types
from pipeline.checks.leakage import suspicious
from pipeline.checks.parameters import ValidationParameters
from pipeline.checks.sample import positive
from pipeline.config.contract import Contract

# The number of undeclared fields that are listed.
MOST_LISTED = 30


@dataclass
class Comparison:
    """The lines that describe the differences, and the reasons why a retrain would fail."""

    summary: str
    lines: list[str]
    failures: list[str]


def compare(documents: Documents, contract: Contract, limits: ValidationParameters) -> Comparison:
    """Return how the documents differ from the contract."""
    profile = Profile(documents())
    proof = prove(contract, documents())
    accepted = proof.read - proof.rejected
    summary = (
        f"{read_text(proof.read, documents)}; the schema accepts {accepted:,} ({accepted / proof.read:.2%})"
    )
    rejecting = [
        f"beyond the schema: {column}, {count:,} documents: {'; '.join(examples)}"
        for column, count, examples in proof.reasons.by_column()
    ]
    lines = [*_vanished(profile, contract), *_undeclared(profile, contract), *rejecting]
    failures = _failures(proof, contract, limits, documents)
    return Comparison(summary, lines, failures)


def _vanished(profile: Profile, contract: Contract) -> list[str]:
    lines = []
    for name, column in contract.columns.items():
        of_path = profile.fields.get(tuple(column.path.split(".")))
        if of_path is None or not of_path.present:
            state = "missing" if of_path is None else "null"
            lines.append(f"vanished: {name} is {state} in all documents ({column.path})")
    return lines


def _undeclared(profile: Profile, contract: Contract) -> list[str]:
    declared = {contract.id, *(column.path for column in contract.columns.values())}
    fields = [
        each
        for each in profile.leaves
        if not declared & {".".join(each.path[:depth]) for depth in range(1, len(each.path) + 1)}
    ]
    lines = [
        f"not in the schema: {'.'.join(each.path)}, {each.present / profile.documents:.1%} of the documents "
        f"({types(each)})"
        for each in fields[:MOST_LISTED]
    ]
    if len(fields) > MOST_LISTED:
        lines.append(f"not in the schema: {len(fields) - MOST_LISTED:,} more fields")
    return lines


def _failures(
    proof: Proof, contract: Contract, limits: ValidationParameters, documents: Documents
) -> list[str]:
    """Return why validation would fail, as far as these documents show."""
    failures = []
    share = proof.rejected / proof.read
    if share > limits.max_rejected:
        failures.append(
            f"{proof.rejected:,} of {proof.read:,} documents would be rejected, a share of {share:.4g}, more "
            f"than validation.max_rejected {limits.max_rejected}: {proof.reasons.worst_columns()}"
        )
    if documents.total is not None and (remain := int(documents.total * (1 - share))) < limits.min_rows:
        failures.append(f"about {remain:,} rows are fewer than validation.min_rows {limits.min_rows:,}")
    rows = proof.rows(contract)
    positives = int(positive(rows, contract).sum())
    # A sample may miss a rare class.
    if documents.complete and len(rows) and positives in (0, len(rows)):
        failures.append(
            f"the target {contract.target.column} has one class only: "
            f"{'every' if positives else 'no'} row is positive"
        )
    maximum = limits.max_single_column_auc
    for name, score in suspicious(rows, contract, maximum).items():
        if score > maximum:
            failures.append(
                f"the target leaks through {name} (alone ROC AUC {score:.4f}), more than "
                f"validation.max_single_column_auc {maximum}"
            )
    return failures
