"""The texts of the report: titles, numbers, values and the verdict."""

from typing import Any

from pipeline.config.contract import Contract
from pipeline.config.parameters import value_name

TITLES = {
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "brier_score": "Brier score",
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
}
# The longest name in a chart, in characters; the table has the whole name.
LONGEST = 44


def number(value: Any, decimals: int = 3) -> str:
    """Return a number as text; a dash for None."""
    if value is None:
        return "\N{EN DASH}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.{decimals}f}"


def percent(value: float) -> str:
    """Return a share as a percentage."""
    return f"{100 * value:.1f} %"


def short(text: str) -> str:
    """Return a text, shortened to fit into a chart."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def value_text(value: Any) -> str:
    """Return a column's value as text, as in params.yaml."""
    return f"{value:.6g}" if isinstance(value, float) else value_name(value).removesuffix(" 00:00:00")


def target_text(contract: Contract) -> str:
    """Return the target with its positive value, such as `churned = true`."""
    return f"{contract.target.column} = {value_text(contract.target.positive)}"


def verdict(counts: dict[tuple[str, str], int], target: str) -> str:
    """Return one sentence: the positives found and the rows selected at the threshold.

    `counts` are those of the confusion matrix, by actual and predicted class.
    """
    found = counts["positive", "positive"]
    positives, selected = found + counts["positive", "negative"], found + counts["negative", "positive"]
    if not selected:
        return f"Selects no row at this threshold: it finds none of the {positives:,} with {target}"
    rows = sum(counts.values())
    return f"Finds {of(found, positives)} with {target} by selecting {of(selected, rows)} rows"


def of(part: int, whole: int) -> str:
    """Return a share such as "7 of 10", with the smallest power of ten that is right within 7 %."""
    for base in (10, 100, 1_000, 10_000):
        rounded = round(part / whole * base)
        if base < whole and abs(rounded / base - part / whole) <= 0.07 * part / whole:
            return f"{rounded:,} of {base:,}"
    return f"{part:,} of {whole:,}"
