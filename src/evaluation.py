"""Evaluation: the model and artifacts/features/test/ -> artifacts/evaluation/, and an MLflow run.

Scores the model on the holdout, which it was not trained on, and logs it. A model below
`evaluation.min_scores` is logged as a failed run, and fails the stage.
"""

import json
from typing import Any

from pipeline.config.contract import Contract, load_contract
from pipeline.config.errors import PipelineError
from pipeline.config.packages import check_packages
from pipeline.config.parameters import load
from pipeline.config.stages import run_stage
from pipeline.data.artifacts import METRICS, MODEL, PLOTS, REPORT, SLICES, TEST, TRAIN, VALIDATION_REPORT
from pipeline.data.atomic import atomic_file, atomic_folder, write_json
from pipeline.modelling.features import read_features, read_sample, read_split
from pipeline.modelling.importance import importance
from pipeline.modelling.matrix import probabilities
from pipeline.modelling.models import threads
from pipeline.modelling.parameters import EvaluationParameters, TrainingParameters, check_slices
from pipeline.modelling.scores import calibration_error, curves, scores, slice_scores
from pipeline.modelling.slices import binned
from pipeline.modelling.thresholds import chosen_threshold, is_number
from pipeline.reporting.page import Evaluated, render, rows_to_read
from pipeline.reporting.summary import print_summary
from pipeline.tracking.lineage import locked_md5
from pipeline.tracking.runs import log_run

import joblib
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits


def evaluate(
    model: Pipeline,
    frame: pd.DataFrame,
    contract: Contract,
    parameters: EvaluationParameters,
    threshold: float = 0.5,
) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]], np.ndarray]:
    """Score `model` on the rows of `frame`, as transformation wrote them, and its decisions at `threshold`.

    Returns the metrics, overall and by slice, the points of each plot, and the probabilities.

    Raises:
        PipelineError: the holdout has one class only, so that the scores are undefined.
    """
    target = frame[contract.target.column].to_numpy()
    if target.min() == target.max():
        raise PipelineError(
            f"the holdout's {len(target):,} rows hold one class of {contract.target.column} only: "
            "more rows of the other class, or a larger transformation.test_size, are needed"
        )
    features = frame[list(contract.features)]
    probability = probabilities(model, features)
    with threadpool_limits(limits=1):
        importances = importance(model, features, target)
    metrics: dict[str, Any] = {"rows": len(frame), "threshold": threshold}
    metrics |= scores(target, probability, threshold) | calibration_error(target, probability)
    metrics["slices"] = {
        name: slice_scores(frame[name], target, probability, threshold) for name in parameters.slice_by
    }
    plots = curves(target, probability, threshold) | {"importance": importances}
    return metrics, plots, probability


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
    training = load("training", TrainingParameters)
    threshold = parameters.threshold
    if not is_number(threshold):
        known, target = read_features(TRAIN, contract)
        with threadpool_limits(limits=threads(training.algorithm, len(known))):
            threshold = chosen_threshold(threshold, model, known, target, training.random_state)
        del known, target
    check_slices(parameters, contract)
    used = dict.fromkeys([*contract.features, contract.target.column, *parameters.slice_by])
    frame = read_split(TEST, used)
    metrics, plots, probability = evaluate(model, frame, contract, parameters, float(threshold))
    if bins := binned(frame, parameters.slice_by):
        print(f"evaluation: slices: {'; '.join(bins)}")
    # In a separate file: as DVC metrics, they would hide the scores.
    slices = metrics.pop("slices")
    write_json(METRICS, metrics)
    write_json(SLICES, slices)
    with atomic_folder(PLOTS) as folder:
        for name, rows in plots.items():
            write_json(folder / f"{name}.json", rows)
    train, train_rows = read_sample(TRAIN, rows_to_read(contract))
    seen = Evaluated(
        model=model,
        test=frame,
        train=train,
        train_rows=train_rows,
        probability=probability,
        metrics=metrics,
        slices=slices,
        plots=plots,
        validation=json.loads(VALIDATION_REPORT.read_text(encoding="utf-8")),
        lineage=locked_md5(TRAIN, TEST, MODEL.parent, VALIDATION_REPORT),
        contract=contract,
        evaluation=parameters,
        training=training,
    )
    with atomic_file(REPORT) as partial:
        partial.write_text(render(seen), encoding="utf-8")
    below = shortfalls(metrics, parameters.min_scores)
    example = frame[list(contract.features)].head(5)
    logged = metrics | {"slices": slices}
    run = log_run(model, contract, example, logged, REPORT.parent, failed=bool(below))
    print_summary(metrics, seen.validation, good=not below)
    if below:
        raise PipelineError(f"the model is not good enough: {'; '.join(below)} (MLflow run {run})")
    print(f"evaluation: ROC AUC {metrics['roc_auc']:.4f} on {metrics['rows']:,} rows (MLflow run {run})")


if __name__ == "__main__":
    run_stage(main)
