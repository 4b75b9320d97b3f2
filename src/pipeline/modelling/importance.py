"""Permutation importance: how much a model depends on each column."""

import re
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from tqdm import tqdm

# The importance of a column is computed on at most this many rows, with this many shuffles.
ROWS, REPEATS = 1_000, 2
# At most this many columns have an importance: those with the largest weights in the model.
COLUMNS = 50
# The shuffles of this many columns are one prediction, whose fixed costs are larger than those of the rows.
TOGETHER = 10


def importance(model: Pipeline, features: pd.DataFrame, target: np.ndarray) -> list[dict[str, Any]]:
    """Return how much ROC AUC is lost when each column is shuffled, the most important column first.

    This is permutation importance (Breiman, Random Forests, 2001) on a sample of the rows, for the `COLUMNS`
    columns that the model uses most. An unused column is not shuffled, and loses 0. If the sample lacks a
    rare class, it is taken by class; ROC AUC does not depend on the shares of the classes.
    """
    order = np.random.default_rng(0).permutation(len(features))
    chosen = order[:ROWS]
    if len(set(target[chosen])) == 1:
        chosen = np.concatenate([order[target[order] == label][: ROWS // 2] for label in (0, 1)])
    weights, target = column_weights(model), target[chosen]
    ranked = sorted(features.columns, key=lambda name: -weights[name])[:COLUMNS]
    # The conversion to types is per value: it runs once, and the typed column is shuffled.
    place = [name for name, _ in model.steps].index("doubles") + 1
    typed, rest = model[:place].transform(features.iloc[chosen]), model[place:]
    whole = roc_auc_score(target, rest.predict_proba(typed)[:, 1])
    random, lost = np.random.default_rng(0), {name: np.zeros(REPEATS) for name in ranked}
    used = [name for name in ranked if weights[name]]
    with tqdm(total=len(used), desc="evaluation: importance", unit=" columns", disable=None) as bar:
        for start in range(0, len(used), TOGETHER):
            names = used[start : start + TOGETHER]
            tried = [
                typed.assign(**{name: typed[name].to_numpy()[random.permutation(len(target))]})
                for name in names
                for _ in range(REPEATS)
            ]
            predicted = rest.predict_proba(pd.concat(tried, ignore_index=True))[:, 1]
            scores = [roc_auc_score(target, shuffled) for shuffled in np.split(predicted, len(tried))]
            lost |= zip(names, whole - np.reshape(scores, (-1, REPEATS)), strict=True)
            bar.update(len(names))
    rows = []
    for name, values in lost.items():
        mean, spread = round(float(values.mean()), 6), round(float(values.std()), 6)
        rows.append({"column": name, "roc_auc_lost": mean, "spread": spread})
    return sorted(rows, key=lambda row: (-row["roc_auc_lost"], row["column"]))


def column_weights(model: Pipeline) -> Counter[str]:
    """Return how much the classifier of a fitted model uses each column, in arbitrary units.

    The weight of a derived feature counts for each column in its expression, that of a calendar
    feature for its date.
    """
    prepare, prepared = model["prepare"], _feature_weights(model["classify"])
    weights: Counter[str] = Counter()
    for name, transformer, columns in prepare.transformers_:
        made = prepared[prepare.output_indices_[name]]
        owners = np.repeat(np.arange(len(columns)), _widths(transformer, columns, len(made)))
        weights.update(dict(zip(columns, np.bincount(owners, made, len(columns)).tolist(), strict=True)))
    if "derive" in model.named_steps:
        lines = model["derive"].kw_args["expr"].splitlines()
        # An expression may use earlier ones.
        for line in reversed(lines[1::2]):
            name, _, expression = line.partition(" = ")
            for word in {*re.findall(r"\w+", expression)} - {name}:
                weights[word] += weights[name]
    if "calendar" in model.named_steps:
        for part, _, dates in model["calendar"].transformers[1:]:
            for name in dates:
                weights[name] += weights[f"{name}_{part}"]
    return weights


def _widths(transformer: Any, columns: list[str], outputs: int) -> list[int]:
    """Return the number of prepared features of each column."""
    if isinstance(transformer, OneHotEncoder):
        return [len(values) for values in transformer.categories_] if columns else []
    return [outputs // len(columns)] * len(columns) if columns else []


def _feature_weights(classifier: Any) -> np.ndarray:
    """Return the weight of each prepared feature: the gain of its splits, or its absolute coefficient."""
    if isinstance(classifier, CalibratedClassifierCV):
        return _feature_weights(classifier.calibrated_classifiers_[0].estimator)
    if isinstance(classifier, LogisticRegression):
        found: np.ndarray = np.abs(classifier.coef_[0])
        return found
    if isinstance(classifier, HistGradientBoostingClassifier):
        # scikit-learn has no public importances or trees of this class.
        nodes = np.concatenate([tree.nodes for trees in classifier._predictors for tree in trees])
        splits = nodes[nodes["is_leaf"] == 0]
        return np.bincount(splits["feature_idx"], splits["gain"], classifier.n_features_in_)
    importances: np.ndarray = classifier.feature_importances_
    return importances
