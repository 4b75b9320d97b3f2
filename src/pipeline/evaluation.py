"""Evaluation: the model and artifacts/features/test/ -> artifacts/evaluation/, and an MLflow run.

Scores the model on the holdout, which it has never seen, then logs it. A model below
`evaluation.minimum` is logged as a failed run, and fails the stage.
"""

from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from pipeline.contract import Contract, load_contract
from pipeline.errors import ConfigurationError, PipelineError, run_main
from pipeline.modelling.features import read_side
from pipeline.modelling.scores import EvaluationParameters, curves, scores, slice_scores
from pipeline.outputs import METRICS, MODEL, PLOTS, TEST, whole_folder, write_json
from pipeline.parameters import load
from pipeline.tracking.runs import log_run

# A column's importance is found on at most this many customers, shuffled so many times.
IMPORTANCE_ROWS, IMPORTANCE_REPEATS, COLUMNS_AT_ONCE = 1_000, 2, 20


def evaluate(
    model: Pipeline, frame: pd.DataFrame, contract: Contract, parameters: EvaluationParameters
) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """Score `model` on the rows of `frame`, as transformation wrote them.

    Returns the metrics, overall and by slice, and the points of each plot.

    Raises:
        ConfigurationError: a slice is not a column.
        PipelineError: the holdout holds one class only, so that there is nothing to rank.
    """
    if unknown := [name for name in parameters.slices if name not in contract.columns]:
        raise ConfigurationError(
            f"params.yaml: evaluation.slices: {', '.join(unknown)} is not a column of the schema"
        )
    target = frame[contract.target.column].to_numpy()
    if target.min() == target.max():
        raise PipelineError(
            f"the holdout's {len(target):,} rows hold one class of {contract.target.column} only"
        )
    features = frame[list(contract.features)]
    with threadpool_limits(limits=1):
        probability = model.predict_proba(features)[:, 1]
        importances = importance(model, features, target)
    metrics: dict[str, Any] = {"rows": len(frame), "threshold": parameters.threshold}
    metrics |= scores(target, probability, parameters.threshold)
    metrics["slices"] = {
        name: slice_scores(frame[name], target, probability, parameters.threshold)
        for name in parameters.slices
    }
    return metrics, curves(target, probability, parameters.threshold) | {"importance": importances}


def importance(model: Pipeline, features: pd.DataFrame, target: np.ndarray) -> list[dict[str, Any]]:
    """Say of each column how much ROC AUC is lost when it is shuffled, the most important first.

    It is permutation importance (Breiman, Random Forests, 2001). scikit-learn's own function compares some of
    the rows, shuffled, with all rows as they are: a column that the model ignores then seems to matter. Here
    both are the same rows. And it asks the model for one shuffle at a time, which takes twice as long.
    """
    random = np.random.default_rng(0)
    chosen = random.permutation(len(features))[:IMPORTANCE_ROWS]
    if len(set(target[chosen])) == 1:
        # One class is so rare that none of it was drawn.
        chosen = np.arange(len(features))
    rows, labels = features.iloc[chosen].reset_index(drop=True), target[chosen]
    whole = roc_auc_score(labels, model.predict_proba(rows)[:, 1])
    found = []
    for start in range(0, len(rows.columns), COLUMNS_AT_ONCE):
        names = list(rows.columns[start : start + COLUMNS_AT_ONCE])
        shuffles = [
            rows.assign(**{name: rows[name].take(random.permutation(len(rows))).array})
            for name in names
            for _ in range(IMPORTANCE_REPEATS)
        ]
        probability = model.predict_proba(pd.concat(shuffles))[:, 1]
        for name, part in zip(names, np.split(probability, len(names)), strict=True):
            lost = [whole - roc_auc_score(labels, each) for each in np.split(part, IMPORTANCE_REPEATS)]
            mean, spread = round(float(np.mean(lost)), 6), round(float(np.std(lost)), 6)
            found.append({"column": name, "roc_auc_lost": mean, "spread": spread})
    return sorted(found, key=lambda row: (-row["roc_auc_lost"], row["column"]))


def shortfalls(metrics: dict[str, Any], minimum: dict[str, float]) -> list[str]:
    """Say which metrics are below their minimum."""
    return [
        f"{name} {metrics[name]:.4f} is below evaluation.minimum {least}"
        for name, least in minimum.items()
        if metrics[name] < least
    ]


def main() -> None:
    """Run the stage."""
    parameters, contract = load("evaluation", EvaluationParameters), load_contract()
    try:
        model = joblib.load(MODEL)
    except FileNotFoundError:
        raise PipelineError(f"{MODEL} is missing: run 'dvc repro', or 'dvc pull' to fetch it") from None
    frame = read_side(TEST)
    metrics, plots = evaluate(model, frame, contract, parameters)
    write_json(METRICS, metrics)
    with whole_folder(PLOTS) as folder:
        for name, rows in plots.items():
            write_json(folder / f"{name}.json", rows)
    below = shortfalls(metrics, parameters.minimum)
    example = frame[list(contract.features)].head(5)
    run = log_run(model, contract, example, metrics, PLOTS, failed=bool(below))
    if below:
        raise PipelineError(f"the model is not good enough: {'; '.join(below)} (MLflow run {run})")
    print(f"evaluation: ROC AUC {metrics['roc_auc']:.4f} on {metrics['rows']:,} rows (MLflow run {run})")


if __name__ == "__main__":
    run_main("evaluation", main)
