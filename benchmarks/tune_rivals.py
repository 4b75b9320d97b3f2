"""Tunes LightGBM, XGBoost and CatBoost on the sample customers, to fill `rivals.TUNED`.

    python benchmarks/tune_rivals.py [TRIALS]

Each gets the same number of trials (default 50) on 2 x 5 folds, with another seed than the comparison's.
"""

import sys
from typing import Any

from pipeline.config.contract import load_contract

import numpy as np
import optuna
import pandas as pd
from rivals import RIVALS, customers, folds, rival, score

TUNING_SEED = 101
# The first trial of each has these defaults of its library; the sampler chooses the other parameters.
DEFAULTS: dict[str, dict[str, Any]] = {
    "LightGBM": {"learning_rate": 0.1, "n_estimators": 100, "num_leaves": 31, "min_child_samples": 20},
    "XGBoost": {"learning_rate": 0.3, "n_estimators": 100, "max_depth": 6, "min_child_weight": 1.0},
    "CatBoost": {"learning_rate": 0.03, "iterations": 1000, "depth": 6, "l2_leaf_reg": 3.0},
}


def space(name: str, trial: optuna.Trial) -> dict[str, Any]:
    """Draw one set of parameters of a booster."""
    real, whole = trial.suggest_float, trial.suggest_int
    if name == "LightGBM":
        return {
            "learning_rate": real("learning_rate", 0.01, 0.3, log=True),
            "n_estimators": whole("n_estimators", 80, 800, log=True),
            "num_leaves": whole("num_leaves", 2, 63, log=True),
            "min_child_samples": whole("min_child_samples", 5, 150, log=True),
            "reg_lambda": real("reg_lambda", 0.01, 50, log=True),
            "reg_alpha": real("reg_alpha", 0.001, 10, log=True),
            "colsample_bytree": real("colsample_bytree", 0.25, 1),
            "subsample": real("subsample", 0.5, 1),
            "subsample_freq": 1,
            "cat_smooth": real("cat_smooth", 1, 100, log=True),
        }
    if name == "XGBoost":
        return {
            "learning_rate": real("learning_rate", 0.01, 0.3, log=True),
            "n_estimators": whole("n_estimators", 80, 800, log=True),
            "max_depth": whole("max_depth", 1, 8),
            "min_child_weight": real("min_child_weight", 0.5, 50, log=True),
            "reg_lambda": real("reg_lambda", 0.01, 50, log=True),
            "reg_alpha": real("reg_alpha", 0.001, 10, log=True),
            "gamma": real("gamma", 0.001, 10, log=True),
            "colsample_bytree": real("colsample_bytree", 0.25, 1),
            "subsample": real("subsample", 0.5, 1),
        }
    return {
        "learning_rate": real("learning_rate", 0.01, 0.3, log=True),
        "iterations": whole("iterations", 100, 1000, log=True),
        "depth": whole("depth", 2, 8),
        "l2_leaf_reg": real("l2_leaf_reg", 0.3, 50, log=True),
        "random_strength": real("random_strength", 0.1, 10, log=True),
        "bagging_temperature": real("bagging_temperature", 0, 1),
        "rsm": real("rsm", 0.3, 1),
        "one_hot_max_size": trial.suggest_categorical("one_hot_max_size", [2, 5]),
        "boosting_type": "Plain",
    }


def tuned(
    name: str, features: pd.DataFrame, target: np.ndarray, split: Any, trials: int
) -> tuple[dict[str, Any], float]:
    """Return the best parameters of `trials` trials of Optuna's TPE, and their mean ROC AUC on the folds."""

    def objective(trial: optuna.Trial) -> float:
        parameters = space(name, trial)
        trial.set_user_attr("parameters", parameters)
        return float(score(*rival(name, parameters, features), target, split).mean(axis=0)[0])

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=1))
    study.enqueue_trial(DEFAULTS[name])
    study.optimize(objective, n_trials=trials)
    return study.best_trial.user_attrs["parameters"], study.best_value


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    features, target = customers(load_contract())
    split = folds(features, target, repeats=2, seed=TUNING_SEED)
    for name in RIVALS:
        parameters, auc = tuned(name, features, target, split, trials)
        print(f"{name}: ROC AUC {auc:.5f} with {parameters}", flush=True)


if __name__ == "__main__":
    main()
