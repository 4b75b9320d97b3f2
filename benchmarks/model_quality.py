"""The default model against tuned boosters, on the same customers and folds.

    python benchmarks/model_quality.py [REPEATS]

REPEATS (default 10) times five stratified folds of the 7,043 sample customers. The corrected standard
error of a difference (Nadeau and Bengio, 2003) allows for folds that share their training rows.
"""

import sys
from typing import Any

from pipeline.config.contract import load_contract
from pipeline.config.parameters import load
from pipeline.modelling.models import build, calendar
from pipeline.modelling.parameters import TrainingParameters

import numpy as np
import pandas as pd
from rivals import TUNED, customers, folds, rival, score
from threadpoolctl import threadpool_limits

SEED = 2024


def ours(algorithm: str, derived: dict[str, str]) -> Any:
    parameters = load("training", TrainingParameters)
    block = getattr(parameters, algorithm)
    return build(load_contract(), algorithm, block, derived, parameters.random_state)


def line(name: str, found: np.ndarray, default: np.ndarray) -> str:
    auc, loss = found.mean(axis=0)
    difference = (default - found)[:, 0]
    corrected = np.sqrt(1 / len(found) + 1 / 4) * difference.std(ddof=1)
    against = f"{difference.mean():+.5f} ± {corrected:.5f}" if found is not default else ""
    return f"| {name} | {auc:.5f} | {loss:.5f} | {against} |"


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    contract, parameters = load_contract(), load("training", TrainingParameters)
    features, target = customers(contract)
    split = folds(features, target, repeats, SEED)
    derived = parameters.derived_features
    with_derived = features.eval(
        "\n".join(f"{name} = {expression}" for name, expression in (calendar(contract) | derived).items()),
        engine="python",
    )
    rows: list[tuple[str, Any, pd.DataFrame]] = [
        (f"**{parameters.algorithm}, the default**", ours(parameters.algorithm, derived), features)
    ]
    rows += [(f"{name}, tuned", *rival(name, tuned, features)) for name, tuned in TUNED.items()]
    rows += [
        (f"{name}, tuned, with our derived features", *rival(name, tuned, with_derived))
        for name, tuned in TUNED.items()
    ]
    rows += [(other, ours(other, derived), features) for other in ("logistic_regression", "random_forest")]
    rows += [
        (f"the default without {name}", ours(parameters.algorithm, without(derived, name)), features)
        for name in derived
    ]
    rows += [("the default without derived features", ours(parameters.algorithm, {}), features)]
    print(f"{len(target):,} customers, {repeats} x 5 folds\n")
    print("| model | ROC AUC | log loss | ROC AUC of the default minus this |\n| --- | --- | --- | --- |")
    default: np.ndarray | None = None
    with threadpool_limits(limits=1):
        for name, model, frame in rows:
            found = score(model, frame, target, split)
            default = found if default is None else default
            print(line(name, found, default), flush=True)


def without(derived: dict[str, str], name: str) -> dict[str, str]:
    return {other: expression for other, expression in derived.items() if other != name}


if __name__ == "__main__":
    main()
