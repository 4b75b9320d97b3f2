"""The changes of params.yaml for a new schema: the schema, and parameters that depend on its columns."""

from typing import Any

from operations.params_file import params_text, with_values
from operations.versions.parameters import CardParameters, MLflowParameters
from pipeline.checks.parameters import ValidationParameters
from pipeline.config.contract import load_contract
from pipeline.config.errors import ConfigurationError
from pipeline.config.parameters import load

# validation.min_rows of a small collection, as a share of its documents.
LEAST_SHARE = 0.5


def _path_of_target() -> str | None:
    """Return the path of the present target; None if the schema is not valid."""
    try:
        contract = load_contract()
    except ConfigurationError:
        return None
    return contract.columns[contract.target.column].path


def changed(section: dict[str, Any], ingestion: dict[str, Any], total: int | None) -> tuple[str, str]:
    """Return the text of params.yaml before and after the change.

    `derived_features` and `slice_by` are cleared, since they name columns of the old schema. For another
    target, so are `min_scores` and the model card, and `threshold` is 0.5. `min_rows` is lowered to half of a
    small collection.
    """
    text = params_text()
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
