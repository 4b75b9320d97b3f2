"""Evaluation: the model and artifacts/features/test/ -> artifacts/evaluation/, and an MLflow run.

Scores the model on the holdout, which it was not trained on, and logs it. A model below
`evaluation.min_scores` is logged as a failed run, and fails the stage.
"""

from typing import Any

from pipeline.config.contract import Contract, load_contract
from pipeline.config.errors import PipelineError
from pipeline.config.packages import check_packages
from pipeline.config.parameters import load
from pipeline.config.stages import run_stage
from pipeline.data.artifacts import METRICS, MODEL, PLOTS, TEST
from pipeline.data.atomic import atomic_folder, write_json
from pipeline.modelling.features import read_split
from pipeline.modelling.importance import importance
from pipeline.modelling.parameters import EvaluationParameters, check_slices
from pipeline.modelling.scores import calibration_error, curves, scores, slice_scores
from pipeline.modelling.slices import MOST, QUANTILES, slice_edges
from pipeline.modelling.thresholds import threshold_of
from pipeline.tracking.runs import log_run

import joblib
import pandas as pd
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits


def evaluate(
    model: Pipeline, frame: pd.DataFrame, contract: Contract, parameters: EvaluationParameters
) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """Score `model` on the rows of `frame`, as transformation wrote them.

    Returns the metrics, overall and by slice, and the points of each plot.

    Raises:
        ConfigurationError: a slice is not a column.
        PipelineError: the holdout has one class only, so that the scores are undefined.
    """
    check_slices(parameters, contract)
    target = frame[contract.target.column].to_numpy()
    if target.min() == target.max():
        raise PipelineError(
            f"the holdout's {len(target):,} rows hold one class of {contract.target.column} only"
        )
    features = frame[list(contract.features)]
    with threadpool_limits(limits=1):
        probability = model.predict_proba(features)[:, 1]
        importances = importance(model, features, target)
    threshold = threshold_of(model)
    metrics: dict[str, Any] = {"rows": len(frame), "threshold": threshold}
    metrics |= scores(target, probability, threshold) | calibration_error(target, probability)
    metrics["slices"] = {
        name: slice_scores(frame[name], target, probability, threshold) for name in parameters.slice_by
    }
    return metrics, curves(target, probability, threshold) | {"importance": importances}


def binned(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[str]:
    """Return which columns have binned slices, and how, as texts."""
    texts = []
    for name in columns:
        if edges := slice_edges(frame[name]):
            texts.append(f"{name} in {QUANTILES} quantiles (to {', '.join(map(str, edges))}, above)")
        elif frame[name].nunique() > MOST:
            texts.append(f"{name} by its {MOST - 1} largest of {frame[name].nunique():,} values, and other")
    return texts


def shortfalls(metrics: dict[str, Any], minimum: dict[str, float]) -> list[str]:
    """Return which metrics are below their minimum, as texts."""
    return [
        f"{name} {metrics[name]:.4f} is below evaluation.min_scores {least}"
        for name, least in minimum.items()
        if metrics[name] < least
    ]


def main() -> None:
    """Run the stage."""
    check_packages()
    parameters, contract = load("evaluation", EvaluationParameters), load_contract()
    try:
        model = joblib.load(MODEL)
    except FileNotFoundError:
        raise PipelineError(f"{MODEL} is missing: run 'dvc repro', or 'dvc pull' to fetch it") from None
    frame = read_split(TEST)
    metrics, plots = evaluate(model, frame, contract, parameters)
    if bins := binned(frame, parameters.slice_by):
        print(f"evaluation: slices: {'; '.join(bins)}")
    write_json(METRICS, metrics)
    with atomic_folder(PLOTS) as folder:
        for name, rows in plots.items():
            write_json(folder / f"{name}.json", rows)
    below = shortfalls(metrics, parameters.min_scores)
    example = frame[list(contract.features)].head(5)
    run = log_run(model, contract, example, metrics, PLOTS, failed=bool(below))
    if below:
        raise PipelineError(f"the model is not good enough: {'; '.join(below)} (MLflow run {run})")
    print(f"evaluation: ROC AUC {metrics['roc_auc']:.4f} on {metrics['rows']:,} rows (MLflow run {run})")


if __name__ == "__main__":
    run_stage(main)
