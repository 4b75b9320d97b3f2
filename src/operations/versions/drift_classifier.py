"""A classifier that separates new from old rows (Lopez-Paz and Oquab, ICLR 2017)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

# The number of rows of a side, of folds, of columns with an importance, and of columns that are named.
ROWS, FOLDS, MEASURED, NAMED = 5_000, 3, 10, 3

NULL = -1e300

# The ids and the columns of one side.
Side = tuple[np.ndarray, pd.DataFrame]


def separated(
    new: Side, old: Side, types: Mapping[str, str], candidates: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the cross-validated scores of the first new and old rows, and the columns that matter most.

    A score is the probability of being new. Both rows of an id are in the same fold: in different folds, the
    model would recognize a customer by the row of the other side. Only the first `candidates` may be named.
    """
    ids = np.concatenate([new[0][:ROWS], old[0][:ROWS]])
    is_new = np.arange(len(ids)) < len(new[0][:ROWS])
    both = pd.concat([new[1][:ROWS], old[1][:ROWS]], ignore_index=True)
    # scikit-learn refuses a column without values, so null is a number below all others.
    columns = [np.nan_to_num(doubles(both[name], kind), nan=NULL) for name, kind in types.items()]
    values = np.column_stack(columns)
    model = HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=8, early_stopping=False, random_state=0
    )
    codes, distinct = pd.factorize(ids)
    names, random = list(types), np.random.default_rng(0)
    fold = random.permutation(len(distinct))[codes] % FOLDS
    scores, lost = np.empty(len(ids)), {}
    with threadpool_limits(limits=1):
        for number in range(FOLDS):
            scored = fold == number
            model.fit(values[~scored], is_new[~scored])
            scores[scored] = model.predict_proba(values[scored])[:, 1]
        # The loss of ROC AUC in the last fold when a column is shuffled.
        reached = roc_auc_score(is_new[scored], scores[scored])
        for name in candidates[:MEASURED]:
            shuffled = values[scored]
            shuffled[:, names.index(name)] = random.permutation(shuffled[:, names.index(name)])
            lost[name] = reached - roc_auc_score(is_new[scored], model.predict_proba(shuffled)[:, 1])
    top = [name for name in sorted(lost, key=lambda name: -lost[name]) if lost[name] > 0]
    return scores[is_new], scores[~is_new], top[:NAMED]


def doubles(values: pd.Series, kind: str) -> np.ndarray:
    """Return a column as doubles with NaN for null: categories as codes, dates as milliseconds."""
    if kind == "category":
        codes = pd.factorize(values)[0]
        return np.where(codes < 0, np.nan, codes)
    if kind == "datetime":
        return np.where(values.isna(), np.nan, values.to_numpy().astype("datetime64[ms]").astype(np.int64))
    return values.to_numpy(dtype=np.float64, na_value=np.nan)
