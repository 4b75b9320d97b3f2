"""Draws a model's plots as one image, to view a run in MLflow."""

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def draw(plots: Path) -> Figure:
    """Draw the plots in evaluation's folder: three curves, the confusion matrix, the importances."""
    points = {path.stem: json.loads(path.read_text()) for path in sorted(plots.glob("*.json"))}
    figure = Figure(figsize=(15, 9), layout="constrained")
    axes = figure.subplots(2, 3).flat
    _line(next(axes), points["roc"], "ROC", diagonal=True)
    _line(next(axes), points["precision_recall"], "Precision and recall", diagonal=False)
    _line(next(axes), points["calibration"], "Calibration", diagonal=True)
    _confusion(next(axes), points["confusion"])
    _importance(next(axes), points["importance"][:12])
    next(axes).axis("off")
    return figure


def _line(axis: Any, rows: list[dict[str, float]], title: str, diagonal: bool) -> None:
    x, y = rows[0]
    axis.plot([row[x] for row in rows], [row[y] for row in rows], marker="o" if len(rows) < 20 else None)
    if diagonal:
        axis.plot([0, 1], [0, 1], linestyle=":", color="grey")
    axis.set(title=title, xlabel=x.replace("_", " "), ylabel=y.replace("_", " "), xlim=(0, 1), ylim=(0, 1))


def _confusion(axis: Any, rows: list[dict[str, Any]]) -> None:
    counts = [[rows[0]["customers"], rows[1]["customers"]], [rows[2]["customers"], rows[3]["customers"]]]
    axis.imshow(counts, cmap="Blues")
    for i in (0, 1):
        for j in (0, 1):
            # White text is legible on the darker half of the colour map.
            color = "white" if counts[i][j] > max(map(max, counts)) / 2 else "black"
            axis.text(j, i, f"{counts[i][j]:,}", ha="center", va="center", color=color)
    classes = ["negative", "positive"]
    axis.set(title="Confusion", xlabel="predicted", ylabel="actual")
    axis.set_xticks([0, 1], classes)
    axis.set_yticks([0, 1], classes)


def _importance(axis: Any, rows: list[dict[str, Any]]) -> None:
    names = [row["column"] for row in rows][::-1]
    axis.barh(names, [row["roc_auc_lost"] for row in rows][::-1])
    axis.set(title="Permutation importance", xlabel="ROC AUC lost when shuffled")
