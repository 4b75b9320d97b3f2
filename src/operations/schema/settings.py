"""What a new schema changes in params.yaml: the schema, and what else belongs to the columns before it."""

from typing import Any

from operations.schema.write import with_values
from operations.versions.registry import CardParameters, MLflowParameters
from pipeline.checks.parameters import ValidationParameters
from pipeline.config.contract import load_contract
from pipeline.config.errors import ConfigurationError
from pipeline.config.parameters import PATH, load

# The share of the documents that must remain, where there are fewer than validation.min_rows asks for.
LEAST_SHARE = 0.5


def max_auc() -> float:
    """Return the ROC AUC of a single column above which validation fails."""
    return load("validation", ValidationParameters).max_single_column_auc


def _path_of_target() -> str | None:
    """Return the path of today's target; None if the schema is not valid."""
    try:
        contract = load_contract()
    except ConfigurationError:
        return None
    return contract.columns[contract.target.column].path


def changed(section: dict[str, Any], ingestion: dict[str, Any], total: int | None) -> tuple[str, str]:
    """Return the text of params.yaml before and after the schema and what depends on it are set.

    `derived_features` and `slice_by` name columns of the schema before. `min_scores`, `threshold` and the
    model card are those of another target, if the target changes. `min_rows` is lowered to half of the
    collection, if that is less.
    """
    text = PATH.read_text(encoding="utf-8")
    values: dict[tuple[str, ...], Any] = {("ingestion", key): value for key, value in ingestion.items()}
    values |= {
        ("schema",): section,
        ("training", "derived_features"): {},
        ("evaluation", "slice_by"): [],
    }
    if _path_of_target() != section["columns"][section["target"]["column"]]["path"]:
        values |= {("evaluation", "min_scores"): {}, ("evaluation", "threshold"): 0.5}
        if load("mlflow", MLflowParameters).card != CardParameters():
            values[("mlflow", "card")] = {}
    least = load("validation", ValidationParameters).min_rows
    if total is not None and total * LEAST_SHARE < least:
        values[("validation", "min_rows")] = max(2, int(total * LEAST_SHARE))
    return text, with_values(text, values)
