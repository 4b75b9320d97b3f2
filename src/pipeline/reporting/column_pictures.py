"""The pictures of a report that show columns: their importance, their effect, their values."""

from typing import Any

from pipeline.reporting.charts import Line, bar_chart, line_chart, mini_columns
from pipeline.reporting.pictures import Picture, Rows
from pipeline.reporting.texts import number, percent, short, value_text

# The number of bars of the importance, of rows of its table, and of categories named under their bars.
BARS, LISTED, NAMED = 15, 100, 6


def importance(rows: Rows) -> Picture:
    """Return the permutation importance, the most important columns first."""
    drawn = [(short(row["column"]), max(row["roc_auc_lost"], 0.0), row["spread"]) for row in rows[:BARS]]
    listed = [
        [row["column"], number(row["roc_auc_lost"], 4), number(row["spread"], 4)] for row in rows[:LISTED]
    ]
    if len(rows) > LISTED:
        listed.append([f"{len(rows) - LISTED:,} more columns", f"at most {listed[-1][1]}", ""])
    return Picture(
        "Permutation importance",
        bar_chart(
            f"ROC AUC lost when a column is shuffled, most by {', '.join(name for name, _, _ in drawn[:3])}.",
            "ROC AUC lost when the column is shuffled",
            drawn,
        ),
        "The thin line shows one standard deviation over the shuffles. Columns that carry the same "
        "information share their importance.",
        ("column", "ROC AUC lost", "standard deviation"),
        listed,
    )


def dependence(column: str, rows: Rows, kind: str, top: float) -> Picture:
    """Return the partial dependence of a column; `kind` is its type."""
    values = [value_text(row["value"]) for row in rows]
    means = [row["probability"] for row in rows]
    alt = f"Mean predicted probability by value of {column}: from {min(means):.3f} to {max(means):.3f}."
    if kind in ("integer", "number") and len(rows) > 1:
        numbers = [float(row["value"]) for row in rows]
        points = [*zip(numbers, means, strict=True)]
        chart = line_chart(
            alt,
            (short(column), "mean probability"),
            [Line(points, "a", dots=True)],
            (min(numbers), max(numbers)),
            (0, top),
        )
    else:
        chart = bar_chart(
            alt, "mean probability", [(short(v), m, 0.0) for v, m in zip(values, means, strict=True)], top
        )
    return Picture(
        column,
        chart,
        "",
        (column, "mean probability"),
        [[v, number(m)] for v, m in zip(values, means, strict=True)],
    )


def column(fact: dict[str, Any]) -> Picture:
    """Return the small histogram of a column in train and test."""
    alt = f"Histogram of {fact['column']}, train beside test."
    return Picture(
        fact["column"],
        mini_columns(alt, [(a, b) for _, a, b in fact["bars"]]),
        about(fact),
        ("from" if fact["range"] else "value", "train", "test"),
        [[label, percent(a), percent(b)] for label, a, b in fact["bars"]],
    )


def about(fact: dict[str, Any]) -> str:
    """Return a column's type, range or most common value, nulls, and difference between the splits."""
    parts = [fact["type"]]
    if fact["range"]:
        low, high, test_low, test_high = fact["range"]
        parts.append(f"{low} to {high} (test {test_low} to {test_high})")
    elif fact["bars"]:
        name, share, _ = fact["bars"][0]
        parts.append(f"most often {name} ({percent(share)})")
        names = [short(value) for value, _, _ in fact["bars"]]
        parts.append(f"bars: {', '.join(names[:NAMED])}{' ...' if len(names) > NAMED else ''}")
    nulls = fact["train_nulls"], fact["test_nulls"]
    parts.append(f"null {percent(nulls[0])}, test {percent(nulls[1])}" if any(nulls) else "no nulls")
    if fact["difference"] is not None:
        parts.append(f"difference {fact['difference']:.3f}")
    return ", ".join(parts)
