"""Whether a new version becomes champion: both models on the same holdout, which neither was trained on."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from pipeline.contract import Contract

# The challenger may be worse by this much ROC AUC, with 95 % confidence, and not by more.
TOLERANCE = 0.01
# No slice of at least this many rows, with both classes, may lose more ROC AUC than this.
SLICE_TOLERANCE, SLICE_ROWS = 0.10, 100
RESAMPLES, SEED = 1_000, 0
# A comparison on fewer rows says nothing.
LEAST_ROWS = 100


@dataclass(frozen=True)
class Decision:
    """Whether a version was promoted, why, and the numbers; it is kept with the version.

    `best` is the number of the best version so far, this one included, if it was promoted beside another.
    """

    promoted: bool
    reason: str
    champion: int | None = None
    rows: int | None = None
    challenger_roc_auc: float | None = None
    champion_roc_auc: float | None = None
    difference: float | None = None
    difference_5_percent: float | None = None
    best: int | None = None

    def content(self) -> dict[str, Any]:
        """The decision as it is kept."""
        return asdict(self)


def compare(
    challenger: Any,
    champion: Any,
    champion_number: int,
    rows: pd.DataFrame,
    contract: Contract,
    slices: tuple[str, ...],
) -> Decision:
    """Decide by a paired bootstrap of the difference in ROC AUC, with a fixed seed.

    `rows` are those of a holdout, as transformation writes them, that neither was trained on.
    The challenger is promoted unless the 5th percentile of its difference to the champion is below
    -`TOLERANCE`, or a slice loses more than `SLICE_TOLERANCE`.
    """
    target = rows[contract.target.column].to_numpy()
    if len(rows) < LEAST_ROWS or target.min() == target.max():
        said = f"too few to compare: {len(rows)} rows of the holdout are new to both models, or of one class"
        return Decision(False, said, champion_number, len(rows))
    features = rows[list(contract.features)]
    with threadpool_limits(limits=1):
        ours = challenger.predict_proba(features)[:, 1]
        try:
            theirs = champion.predict_proba(features)[:, 1]
        except (MemoryError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - a column of another type can raise anything in a model
            return of_another_schema(champion_number, error)
    differences = bootstrap(target, ours, theirs)
    our_score, their_score = roc_auc_score(target, ours), roc_auc_score(target, theirs)
    low = float(np.quantile(differences, 0.05))
    collapsed = collapses(rows, target, ours, theirs, slices)
    beside = f"ROC AUC {our_score:.4f} beside {their_score:.4f} of version {champion_number}"
    if low < -TOLERANCE:
        reason = f"{beside}: it may be {-low:.4f} lower, more than the {TOLERANCE} allowed"
    elif collapsed:
        reason = f"a slice collapses: {'; '.join(collapsed)}"
    else:
        reason = f"{beside}, at worst {low:+.4f} (95 % confidence; -{TOLERANCE} is allowed)"
    return Decision(
        low >= -TOLERANCE and not collapsed,
        reason,
        champion_number,
        len(rows),
        round(float(our_score), 6),
        round(float(their_score), 6),
        round(float(our_score - their_score), 6),
        round(low, 6),
    )


def of_another_schema(number: int, error: Exception) -> Decision:
    """The decision of a version that meets one which cannot score its holdout, for this reason."""
    return Decision(
        False,
        f"version {number} cannot score this holdout ({type(error).__name__}): the schema has changed; to "
        "use the new one all the same, make it champion by hand: 'pipeline rollback'",
        number,
    )


def bootstrap(target: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return the differences in ROC AUC (ours minus theirs) on resampled rows, drawn alike for both.

    A resample is how often each row is drawn; one that holds a single class says nothing and is left out.
    """
    random = np.random.default_rng(SEED)
    positive = target.astype(bool)
    differences = []
    for _ in range(RESAMPLES):
        drawn = np.bincount(random.integers(0, len(target), len(target)), minlength=len(target))
        if 0 < drawn[positive].sum() < len(target):
            differences.append(weighted_auc(positive, ours, drawn) - weighted_auc(positive, theirs, drawn))
    return np.array(differences)


def weighted_auc(positive: np.ndarray, score: np.ndarray, weight: np.ndarray) -> float:
    """Return the ROC AUC of weighted rows: the share of pairs in the right order, ties counting half.

    It is scikit-learn's roc_auc_score, which checks its input anew for each of the thousand resamples.
    """
    _, group = np.unique(score, return_inverse=True)
    positives = np.bincount(group, weight * positive)
    negatives = np.bincount(group, weight * ~positive)
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / (positives.sum() * negatives.sum()))


def collapses(
    rows: pd.DataFrame, target: np.ndarray, ours: np.ndarray, theirs: np.ndarray, slices: tuple[str, ...]
) -> list[str]:
    """Name the slices on which the challenger loses more than `SLICE_TOLERANCE`."""
    found = []
    for column in slices:
        for value, inside in rows.groupby(column, observed=True).indices.items():
            if len(inside) >= SLICE_ROWS and 0 < target[inside].sum() < len(inside):
                lost = roc_auc_score(target[inside], theirs[inside]) - roc_auc_score(
                    target[inside], ours[inside]
                )
                if lost > SLICE_TOLERANCE:
                    found.append(f"{column} {value} loses {lost:.3f} ROC AUC")
    return found
