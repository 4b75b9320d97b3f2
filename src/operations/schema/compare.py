"""Compares the schema with documents: vanished and undeclared fields, rejected values, the verdict."""

from dataclasses import dataclass

from operations.schema.profile import Profile
from operations.schema.prove import Proof, prove
from operations.schema.reading import Documents, no_document
from operations.schema.table import read_text, types
from pipeline.checks.leakage import suspicious
from pipeline.checks.parameters import ValidationParameters
from pipeline.config.contract import Contract
from pipeline.config.parameters import load
from pipeline.data.features import TransformationParameters

# The number of undeclared fields that are listed.
MOST_LISTED = 30


@dataclass
class Comparison:
    """The lines that describe the differences, and the reasons why a retrain would fail."""

    summary: str
    lines: list[str]
    failures: list[str]


def compare(documents: Documents, contract: Contract) -> Comparison:
    """Return how the documents differ from the contract, and whether a retrain would fail."""
    limits = load("validation", ValidationParameters)
    test_size = load("transformation", TransformationParameters).test_size
    profile = Profile(documents())
    if not profile.documents:
        return Comparison(f"{documents.name}: no document read", [], [no_document(documents)])
    proof = prove(contract, documents(), test_size)
    accepted = proof.read - proof.rejected
    summary = (
        f"{read_text(proof.read, documents)}; the schema accepts {accepted:,} ({accepted / proof.read:.2%})"
    )
    rejecting = [
        f"beyond the schema: {column}, {count:,} documents: {'; '.join(examples)}"
        for column, count, examples in proof.reasons.by_column()
    ]
    lines = [*_vanished(profile, contract), *_undeclared(profile, contract), *rejecting]
    failures = _rejections(proof, limits, documents)
    one_class = _one_class(proof, contract)
    if documents.complete:
        failures += one_class
    else:
        # The other documents may have the missing class.
        lines += [f"warning: {problem} (--all reads every document)" for problem in one_class]
    failures += _without_value(proof, contract)
    maximum = limits.max_single_column_auc
    for name, score in suspicious(proof.rows(contract), contract, maximum).items():
        ranks = f"{name} alone ranks the target with ROC AUC {score:.4f}"
        if score > maximum:
            failures.append(f"{ranks}, a leak above validation.max_single_column_auc {maximum}")
        else:
            lines.append(f"warning: {ranks}: make sure that its value is known when the model predicts")
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


def _rejections(proof: Proof, limits: ValidationParameters, documents: Documents) -> list[str]:
    """Return why validation would fail because of rejected or too few documents."""
    failures = []
    share = proof.rejected / proof.read
    if share > limits.max_rejected:
        failures.append(
            f"{proof.rejected:,} of {proof.read:,} documents would be rejected, a share of {share:.4g}, more "
            f"than validation.max_rejected {limits.max_rejected}: {proof.reasons.worst_columns()}"
        )
    total = proof.read if documents.complete else documents.total
    if total is not None and (remain := int(total * (1 - share))) < limits.min_rows:
        failures.append(f"about {remain:,} rows are fewer than validation.min_rows {limits.min_rows:,}")
    return failures


def _one_class(proof: Proof, contract: Contract) -> list[str]:
    """Return which split has one class of the target only, if any document is accepted."""
    target = contract.target.column
    negatives, positives = proof.splits.sum(axis=0)
    if not negatives and not positives:
        return []
    if not negatives or not positives:
        which = "every" if positives else "no"
        return [f"the target {target} has one class only: {which} row is positive"]
    return [
        f"the {split} has {negatives:,} negative and {positives:,} positive rows of {target} and needs both: "
        f"more rows, or a {change} transformation.test_size"
        for split, change, (negatives, positives) in zip(
            ("train split", "holdout"), ("smaller", "larger"), proof.splits, strict=True
        )
        if not negatives or not positives
    ]


def _without_value(proof: Proof, contract: Contract) -> list[str]:
    """Return the features without a value in any train row, which training refuses."""
    empty = [name for name in contract.features if name not in proof.with_value]
    if proof.rejected == proof.read or not empty:
        return []
    return [
        f"{', '.join(empty)} is null or missing on every train row of the {proof.read:,} documents read: "
        "remove it from schema.columns"
    ]
