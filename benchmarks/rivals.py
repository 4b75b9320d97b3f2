"""The boosters that the default model is compared with, tuned on the same customers.

`TUNED` has the results of `tune_rivals.py`: for each booster the better of two searches on the folds of
`model_quality.py` (50 trials, then 37 to 55 more around the best with wider bounds).
"""

from typing import Any

from pipeline.config.contract import Contract
from pipeline.source.sample import documents

import numpy as np
import pandas as pd
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold
from xgboost import XGBClassifier

RIVALS = ("LightGBM", "XGBoost", "CatBoost")
TUNED: dict[str, dict[str, Any]] = {
    "LightGBM": {
        "learning_rate": 0.099795,
        "n_estimators": 322,
        "num_leaves": 2,
        "min_child_samples": 49,
        "reg_lambda": 1.85812,
        "reg_alpha": 3.15946,
        "colsample_bytree": 0.439504,
        "subsample": 0.817935,
        "subsample_freq": 1,
        "cat_smooth": 1.36914,
    },
    "XGBoost": {
        "learning_rate": 0.037877,
        "n_estimators": 799,
        "max_depth": 3,
        "min_child_weight": 2.82293,
        "reg_lambda": 0.292297,
        "reg_alpha": 0.0213885,
        "gamma": 4.78262,
        "colsample_bytree": 0.601555,
        "subsample": 0.559634,
    },
    "CatBoost": {
        "learning_rate": 0.028376,
        "iterations": 413,
        "depth": 3,
        "l2_leaf_reg": 16.235,
        "random_strength": 6.36599,
        "bagging_temperature": 0.52953,
        "rsm": 0.671572,
        "one_hot_max_size": 5,
        "boosting_type": "Plain",
    },
}


def customers(contract: Contract) -> tuple[pd.DataFrame, np.ndarray]:
    """Return all 7,043 sample customers: the feature columns, and the target (0 or 1)."""
    everyone = documents()
    frame = pd.DataFrame(
        {
            name: [_at(document, column.path) for document in everyone]
            for name, column in contract.columns.items()
        }
    )
    target = (frame[contract.target.column] == contract.target.positive).to_numpy(dtype=int)
    return frame[list(contract.features)].astype({"total_charges": float}), target


def _at(document: dict[str, Any], path: str) -> Any:
    value: Any = document
    for key in path.split("."):
        value = value[key]
    return value


def folds(
    features: pd.DataFrame, target: np.ndarray, repeats: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return `repeats` times five stratified folds: (rows to fit on, rows to score)."""
    return list(
        RepeatedStratifiedKFold(n_splits=5, n_repeats=repeats, random_state=seed).split(features, target)
    )


def score(model: Any, features: pd.DataFrame, target: np.ndarray, split: Any) -> np.ndarray:
    """Fit on all folds and return ROC AUC and log loss of each (float, shape (folds, 2))."""
    found = []
    for fit, test in split:
        model.fit(features.iloc[fit], target[fit])
        probability = model.predict_proba(features.iloc[test])[:, 1]
        found.append((roc_auc_score(target[test], probability), log_loss(target[test], probability)))
    return np.array(found)


def rival(name: str, parameters: dict[str, Any], features: pd.DataFrame) -> tuple[Any, pd.DataFrame]:
    """Return the booster and its features: native categories, one thread."""
    categories = [column for column in features if isinstance(features[column].iloc[0], str)]
    booleans = [column for column in features if features[column].dtype == bool]
    if name == "CatBoost":
        model = CatBoostClassifier(
            **parameters,
            thread_count=1,
            random_seed=0,
            verbose=0,
            allow_writing_files=False,
            cat_features=categories + booleans,
        )
        return model, features.astype(dict.fromkeys(categories + booleans, str))
    native = features.astype(dict.fromkeys(categories, "category"))
    if name == "LightGBM":
        return LGBMClassifier(**parameters, n_jobs=1, random_state=0, verbose=-1), native
    model = XGBClassifier(**parameters, n_jobs=1, random_state=0, tree_method="hist", enable_categorical=True)
    return model, native
