"""The pictures of the report: each is a chart with an alt text and with its numbers as a table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.reporting.charts import Line, line_chart, paired_columns
from pipeline.reporting.texts import number, percent

from markupsafe import Markup

Rows = list[dict[str, Any]]
# The largest number of points of a curve.
POINTS = 100


@dataclass(frozen=True)
class Picture:
    """A chart, its title, a note on how to read it, and its numbers."""

    title: str
    chart: Markup
    note: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def thinned(rows: Rows) -> Rows:
    """Return up to `POINTS` evenly spaced rows, with the first and the last."""
    last, count = len(rows) - 1, min(len(rows), POINTS)
    return [rows[round(i * last / (count - 1))] for i in range(count)] if count > 1 else rows


def curve(
    title: str,
    alt: str,
    note: str,
    axes: tuple[str, str],
    reference: Line,
    points: Sequence[tuple[float, float]],
    top: float = 1,
) -> Picture:
    """Return a curve of the model beside a reference; the axis of y ends at `top`."""
    chart = line_chart(alt, axes, [reference, Line(points, "a", "model")], y=(0, top))
    return Picture(title, chart, note, axes, [[number(x), number(y)] for x, y in points])


def roc(rows: Rows, auc: float) -> Picture:
    """Return the ROC curve."""
    return curve(
        "ROC",
        f"ROC curve, area {auc:.3f}: true positive rate against false positive rate, above the diagonal of "
        "chance.",
        "The farther the curve is above the diagonal, the better the model ranks positives above negatives.",
        ("false positive rate", "true positive rate"),
        Line([(0, 0), (1, 1)], "muted", "chance"),
        [(row["false_positive_rate"], row["true_positive_rate"]) for row in thinned(rows)],
    )


def precision_recall(rows: Rows, share: float, average: float) -> Picture:
    """Return the precision-recall curve; `share` is the share of positives."""
    return curve(
        "Precision and recall",
        f"Precision against recall, average precision {average:.3f}; the base rate is {share:.3f}.",
        "Precision: the share of positives among the selected rows. Recall: the share of all positives that "
        "is selected.",
        ("recall", "precision"),
        Line([(0, share), (1, share)], "muted", "base rate"),
        [(row["recall"], row["precision"]) for row in thinned(rows)],
    )


def calibration(rows: Rows, top: float, metrics: dict[str, Any]) -> Picture:
    """Return the calibration, with the calibration error among the metrics."""
    low, high = metrics["calibration_error_interval"]
    points = [(row["predicted"], row["observed"]) for row in rows]
    top = max(top, *(row["high"] for row in rows))
    return Picture(
        "Calibration",
        line_chart(
            f"Observed share of positives against the predicted probability in {len(rows)} bins with 95 % "
            "intervals, beside the diagonal of perfect calibration.",
            ("predicted probability", "observed share"),
            [Line([(0, 0), (top, top)], "muted", "perfect"), Line(points, "a", "model", dots=True)],
            (0, top),
            (0, top),
            [(row["predicted"], row["low"], row["high"]) for row in rows],
        ),
        "Bins of equal size; the bars are 95 % intervals of the observed share (Wilson). The expected "
        f"calibration error is {metrics['calibration_error']:.3f} (95 % interval {low:.3f} to {high:.3f}).",
        ("predicted", "observed", "95 % interval", "rows"),
        [
            [
                number(row["predicted"]),
                number(row["observed"]),
                f"{number(row['low'])} to {number(row['high'])}",
                number(row["rows"]),
            ]
            for row in rows
        ],
    )


def distribution(rows: Rows, top: float, threshold: float) -> Picture:
    """Return the distribution of the predicted probabilities by class."""
    return Picture(
        "Score distribution",
        paired_columns(
            "Histogram of the predicted probability, negatives beside positives, with the threshold at "
            f"{threshold:.3g}.",
            ("predicted probability", "share of class"),
            [(row["negative"], row["positive"]) for row in rows],
            ("negative", "positive"),
            (0, top),
            threshold,
        ),
        "The less the two overlap, the better. The dashed line is the threshold.",
        ("from", "to", "share of negatives", "share of positives"),
        [
            [number(row["from"]), number(row["to"]), percent(row["negative"]), percent(row["positive"])]
            for row in rows
        ],
    )


def gain(rows: Rows) -> Picture:
    """Return the cumulative gain."""
    picture = curve(
        "Gain",
        "Share of the positives found against the share of rows selected, highest probability first.",
        "The share of all positives that is found if the rows with the highest probabilities are selected.",
        ("share of rows selected", "share of positives found"),
        Line([(0, 0), (1, 1)], "muted", "random"),
        [(row["selected"], row["found"]) for row in rows],
    )
    cells = [[percent(row["selected"]), percent(row["found"]), number(row["lift"], 2)] for row in rows]
    return replace(picture, head=("selected", "found", "lift"), rows=cells)


def lift(rows: Rows) -> Picture:
    """Return the lift."""
    points = [(row["selected"], row["lift"]) for row in rows if row["lift"] is not None]
    picture = curve(
        "Lift",
        f"Lift against the share of rows selected; {points[0][1]:.1f} for the first {points[0][0]:.0%}.",
        "The share of positives among the selected rows, divided by the share among all rows.",
        ("share of rows selected", "lift"),
        Line([(0, 1), (1, 1)], "muted", "random"),
        points,
        max(2.0, *(y for _, y in points)),
    )
    return replace(picture, head=("selected", "lift"), rows=[[percent(x), number(y, 2)] for x, y in points])


def cost(rows: Rows, top: float, threshold: float, weights: tuple[float, float]) -> Picture:
    """Return the cost by threshold; `weights` are the costs of a false negative and a false positive."""
    points = [(row["threshold"], row["cost"]) for row in rows]
    best = min(rows, key=lambda row: (row["cost"], row["threshold"]))
    return Picture(
        "Cost against threshold",
        line_chart(
            f"Mean cost of a row against the threshold, lowest at {best['threshold']:.3g}; the threshold in "
            f"use is {threshold:.3g}.",
            ("threshold", "mean cost of a row"),
            [Line(points, "a")],
            (0, top),
            (0, max(y for _, y in points)),
            mark=threshold,
        ),
        f"A false negative costs {weights[0]:g}, a false positive {weights[1]:g}. The dashed line is the "
        f"threshold in use, {threshold:.3g}. On these test rows the lowest cost is at "
        f"{best['threshold']:.3g}; a threshold chosen there would make the scores too optimistic.",
        ("threshold", "cost", "selected", "found"),
        [
            [number(row["threshold"]), number(row["cost"]), number(row["selected"]), number(row["found"])]
            for row in rows
        ],
    )
