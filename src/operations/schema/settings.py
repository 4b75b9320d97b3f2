"""The changes of params.yaml for an inferred schema, and for parameters that depend on its columns."""

import ast
from typing import Any

from operations.params_file import params_text, plain, with_values
from operations.versions.parameters import CardParameters, MLflowParameters
from pipeline.checks.parameters import ValidationParameters
from pipeline.config.contract import CALENDAR, Contract, load_contract
from pipeline.config.errors import ConfigurationError
from pipeline.config.parameters import load

# validation.min_rows of a small collection, as a share of its documents.
LEAST_SHARE = 0.5
NUMBERS = {"integer", "number"}

Values = dict[tuple[str, ...], Any]


def present_schema() -> Contract | None:
    """Return the schema of params.yaml, or None if it is not valid."""
    try:
        return load_contract()
    except ConfigurationError:
        return None


def changed(
    section: dict[str, Any], ingestion: dict[str, Any], total: int | None, present: Contract | None
) -> tuple[str, str, list[str]]:
    """Return the text of params.yaml before and after the change, and lines on what was kept and removed.

    `derived_features` and `slice_by` keep what names only columns that remain. For another target,
    `min_scores` and the model card are cleared, and `threshold` is 0.5. `min_rows` is at most half of the
    collection, and at least that or its default value.
    """
    text = params_text()
    values: Values = {("ingestion", key): value for key, value in ingestion.items()}
    schema, notes = _schema(section, present)
    values |= schema
    contract = Contract.model_validate(section)
    for changes, more in (_dependent(plain(text), contract, present), _least(total)):
        values |= changes
        notes += more
    path = section["columns"][section["target"]["column"]]["path"]
    if not present or present.columns[present.target.column].path != path:
        values |= {("evaluation", "min_scores"): {}, ("evaluation", "threshold"): 0.5}
        if load("mlflow", MLflowParameters).card != CardParameters():
            values[("mlflow", "card")] = {}
    return text, with_values(text, values), notes


def _schema(section: dict[str, Any], present: Contract | None) -> tuple[Values, list[str]]:
    """Return the values for the schema: only its changed columns, if all present ones remain."""
    columns = section["columns"]
    before = list(present.columns) if present else []
    kept, removed = ([name for name in before if (name in columns) is there] for there in (True, False))
    added = [name for name in columns if name not in before]
    notes = [f"columns: {len(kept)} kept{_listed('added', added)}{_listed('removed', removed)}"]
    if removed or not present:
        return {("schema",): section}, notes
    each: Values = {("schema", "columns", name): column for name, column in columns.items()}
    return {("schema", "target"): section["target"], **each}, notes


def _dependent(
    content: dict[str, Any], contract: Contract, present: Contract | None
) -> tuple[Values, list[str]]:
    """Return the derived features and slices that still name columns, and lines on both."""
    before = present.columns if present else {}
    lost = {name for name, column in before.items() if not _same(contract, name, column.path, column.type)}
    lost |= {f"{name}_{part}" for name in lost for part in CALENDAR}
    old = (content.get("training") or {}).get("derived_features")
    old = old if isinstance(old, dict) else {}
    derived: dict[str, str] = {}
    for name, expression in old.items():
        if present and name not in contract.columns and not lost & _names(str(expression)):
            derived[name] = expression
        else:
            lost.add(name)
    slices = (content.get("evaluation") or {}).get("slice_by") or []
    paths = {name: column.path for name, column in contract.columns.items()}
    remain = [name for name in slices if name in before and before[name].path == paths.get(name)]
    values: Values = {("training", "derived_features"): derived, ("evaluation", "slice_by"): remain}
    return values, [
        f"{'.'.join(key)}: {len(value)} kept{_listed('removed', [one for one in names if one not in value])}"
        for (key, value), names in zip(values.items(), (old, slices), strict=True)
        if names
    ]


def _same(contract: Contract, name: str, path: str, kind: str) -> bool:
    """Return whether a name is still the feature at this path, of a type that the expressions expect."""
    column = contract.features.get(name)
    if column is None or column.path != path:
        return False
    return column.type == kind or {column.type, kind} == NUMBERS


def _names(expression: str) -> set[str]:
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except SyntaxError:  # training names the mistake
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _least(total: int | None) -> tuple[Values, list[str]]:
    """Return `validation.min_rows` for this number of documents, if the present one does not fit it."""
    if total is None:
        return {}, []
    before, default = load("validation", ValidationParameters).min_rows, ValidationParameters().min_rows
    half = max(2, int(total * LEAST_SHARE))
    least = min(half, default)
    if least <= before <= half:
        return {}, []
    note = f"validation.min_rows: {least:,} for {total:,} documents, {before:,} before"
    return {("validation", "min_rows"): least}, [note]


def _listed(what: str, names: list[str]) -> str:
    return f", {len(names)} {what} ({', '.join(names)})" if names else ""
