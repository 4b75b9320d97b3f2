"""The page artifacts/evaluation/report.html: self-contained, and the same bytes for the same inputs."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.config.contract import Contract
from pipeline.config.packages import packages_of
from pipeline.modelling.models import ALGORITHMS
from pipeline.modelling.parameters import EvaluationParameters, TrainingParameters
from pipeline.modelling.scores import scores
from pipeline.reporting import column_pictures, performance, pictures
from pipeline.reporting.baseline import NAME, logistic_regression
from pipeline.reporting.columns import columns
from pipeline.reporting.effects import partial_dependence
from pipeline.reporting.intervals import auc_difference, score_intervals
from pipeline.reporting.texts import TITLES, number, percent, target_text, verdict
from pipeline.tracking.names import flat

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

# The report reads at most this many train rows, and fewer if they are wide, so that its work is bounded.
TRAIN_ROWS, CELLS = 20_000, 2_000_000
# The number of columns with a histogram, with a line in the table, and with a partial dependence.
DRAWN, LISTED, EFFECTS = 24, 1_000, 4
ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters |= {"number": number, "percent": percent}


@dataclass(frozen=True)
class Evaluated:
    """The inputs of evaluation and its results, which the page shows.

    `train` holds up to `rows_to_read` of the `train_rows` rows of the train split. `validation` is the report
    of validation. `lineage` has the hashes of the inputs by path.
    """

    model: Pipeline
    test: pd.DataFrame
    train: pd.DataFrame
    train_rows: int
    probability: np.ndarray
    metrics: dict[str, Any]
    slices: dict[str, dict[str, Any]]
    plots: dict[str, list[dict[str, Any]]]
    validation: dict[str, Any]
    lineage: dict[str, str]
    contract: Contract
    evaluation: EvaluationParameters
    training: TrainingParameters


def rows_to_read(contract: Contract) -> int:
    """Return how many train rows the page reads at most."""
    return max(1_000, min(TRAIN_ROWS, CELLS // len(contract.features)))


def render(seen: Evaluated) -> str:
    """Return the page."""
    with threadpool_limits(limits=1):
        return ENVIRONMENT.get_template("page.html").render(
            _performance(seen) | _data(seen) | _lineage(seen) | {"titles": TITLES}
        )


def _performance(seen: Evaluated) -> dict[str, Any]:
    target = seen.test[seen.contract.target.column].to_numpy()
    probability, threshold = seen.probability, float(seen.metrics["threshold"])
    share = float(target.mean())
    top = performance.axis_top(probability, threshold)
    linear = logistic_regression(seen.train, seen.test, seen.contract, seen.training)
    base = np.full(len(target), float(seen.train[seen.contract.target.column].mean()))
    gains = performance.gain(target, probability)
    shown = performance.slices(seen.test, target, probability, seen.slices)
    importances = seen.plots["importance"]
    strongest = [row["column"] for row in importances if row["roc_auc_lost"] > 0][:EFFECTS]
    effects = partial_dependence(seen.model, seen.test[list(seen.contract.features)], strongest)
    highest = max((row["probability"] for rows in effects.values() for row in rows), default=1.0)
    counts = {(row["actual"], row["predicted"]): row["customers"] for row in seen.plots["confusion"]}
    weights = costs_of(seen.evaluation.threshold)
    costs = performance.cost(target, probability, threshold, *weights)
    return {
        "target": target_text(seen.contract),
        "verdict": verdict(counts, target_text(seen.contract)),
        "comparison": None if linear is None else _compared(target, probability, linear),
        "threshold": threshold,
        "rows": len(target),
        "positive_share": share,
        "scores": {name: seen.metrics[name] for name in TITLES},
        "intervals": score_intervals(target, probability, threshold),
        "linear": None if linear is None else scores(target, linear, threshold),
        "base": scores(target, base, threshold),
        "confusion": counts,
        "curves": [
            pictures.roc(seen.plots["roc"], seen.metrics["roc_auc"]),
            pictures.precision_recall(
                seen.plots["precision_recall"], share, seen.metrics["average_precision"]
            ),
            pictures.calibration(performance.calibration(target, probability), top, seen.metrics),
            pictures.distribution(performance.distribution(target, probability, top), top, threshold),
            pictures.gain(gains),
            pictures.lift(gains),
            pictures.cost(costs, top, threshold, weights),
        ],
        "importance": column_pictures.importance(importances),
        "effects": [
            column_pictures.dependence(name, rows, seen.contract.features[name].type, min(1.0, highest * 1.1))
            for name, rows in effects.items()
        ],
        "slices": shown[: performance.SLICES],
        "more_slices": max(0, len(shown) - performance.SLICES),
    }


def costs_of(criterion: Any) -> tuple[float, float]:
    """Return the costs of a false negative and of a false positive in `evaluation.threshold`, or 1 and 1."""
    match criterion:
        case {"cost": {"false_negative": missed, "false_positive": alarm}}:
            return float(missed), float(alarm)
    return 1.0, 1.0


def _compared(target: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> str:
    low, high = auc_difference(target, ours, theirs)
    if low > 0:
        word = "measurably better than"
    elif high < 0:
        word = "measurably worse than"
    else:
        word = "not measurably different from"
    return (
        f"It is {word} a logistic regression: the difference in ROC AUC has the 95 % interval {low:+.3f} to "
        f"{high:+.3f}."
    )


def _data(seen: Evaluated) -> dict[str, Any]:
    facts = {fact["column"]: fact for fact in columns(seen.train, seen.test, seen.contract)}
    # The most important columns come first.
    order = list(dict.fromkeys([*(row["column"] for row in seen.plots["importance"]), *facts]))
    ordered = [facts[name] for name in order if name in facts]
    name = seen.contract.target.column
    return {
        "validation": seen.validation,
        "train_rows": seen.train_rows,
        "train_read": len(seen.train),
        "train_share": float(seen.train[name].mean()),
        "columns": [column_pictures.column(fact) for fact in ordered[:DRAWN]],
        "facts": [(fact["column"], column_pictures.about(fact)) for fact in ordered[:LISTED]],
        "more_columns": max(0, len(ordered) - LISTED),
        "most_different": sorted(
            (fact for fact in ordered if fact["difference"]),
            key=lambda fact: (-fact["difference"], fact["column"]),
        )[:5],
    }


def _lineage(seen: Evaluated) -> dict[str, Any]:
    algorithm = seen.training.algorithm
    unused = {*ALGORITHMS, "search"} - {algorithm}
    used = {"training": seen.training.model_dump(exclude=unused), "evaluation": seen.evaluation.model_dump()}
    return {
        "algorithm": algorithm,
        "linear_name": NAME,
        "hashes": seen.lineage,
        "packages": {name: version(name) for name in packages_of(algorithm)},
        "parameters": {
            name: ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
            for name, value in flat(used).items()
        },
    }
