"""Whether a new version becomes champion: both models on the same holdout, which neither was trained on."""

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.config.contract import Contract
from pipeline.modelling.scores import slice_names

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score
from threadpoolctl import threadpool_limits

# The challenger may be worse by this much ROC AUC, with 95 % confidence, and not by more.
TOLERANCE = 0.01
# It predicts probabilities, which the right order alone does not make right: its log loss may be worse, with
# the same confidence, by this share of the log loss of who knows nothing but how many are positive.
LOSS_TOLERANCE = 0.10
# No slice of at least this many rows, with so many of each class, may lose more ROC AUC than this.
SLICE_TOLERANCE, SLICE_ROWS, SLICE_CLASS = 0.10, 100, 10
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
    log_loss_difference: float | None = None
    log_loss_difference_95_percent: float | None = None
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
    """Decide by a paired bootstrap of the differences in ROC AUC and in log loss, with a fixed seed.

    `rows` are those of a holdout, as transformation writes them, that neither was trained on.
    The challenger is promoted unless the 5th percentile of its difference to the champion is below
    -`TOLERANCE`, or the 95th of that in log loss above `LOSS_TOLERANCE`, or a slice loses more than
    `SLICE_TOLERANCE`.
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
            return not_met(champion_number, error)
    in_auc, in_loss = bootstrap(target, ours, theirs)
    our_score, their_score = roc_auc_score(target, ours), roc_auc_score(target, theirs)
    our_loss, their_loss = log_loss(target, ours), log_loss(target, theirs)
    low = float(np.quantile(in_auc, 0.05))
    high = float(np.quantile(in_loss, 0.95))
    allowed = LOSS_TOLERANCE * log_loss(target, np.full(len(target), target.mean()))
    collapsed = collapses(rows, target, ours, theirs, slices)
    beside = f"ROC AUC {our_score:.4f} beside {their_score:.4f} of version {champion_number}"
    if low < -TOLERANCE:
        reason = f"{beside}: it may be {-low:.4f} lower, more than the {TOLERANCE} allowed"
    elif high > allowed:
        reason = (
            f"{beside}, but its probabilities may be worse: log loss {our_loss:.4f} beside {their_loss:.4f}, "
            f"at worst {high:+.4f}, more than the {allowed:.4f} allowed"
        )
    elif collapsed:
        reason = f"a slice collapses: {'; '.join(collapsed)}"
    else:
        reason = f"{beside}, at worst {low:+.4f} (95 % confidence; -{TOLERANCE} is allowed)"
    return Decision(
        low >= -TOLERANCE and high <= allowed and not collapsed,
        reason,
        champion_number,
        len(rows),
        round(float(our_score), 6),
        round(float(their_score), 6),
        round(float(our_score - their_score), 6),
        round(low, 6),
        round(float(our_loss - their_loss), 6),
        round(high, 6),
    )


def not_met(number: int, error: BaseException) -> Decision:
    """The decision of a version whose rival, `number`, cannot score its holdout, for this reason."""
    return Decision(
        False,
        f"version {number} cannot score this holdout ({type(error).__name__}): the schema has changed, or "
        "the packages; to use the new one all the same, make it champion by hand: 'pipeline rollback'",
        number,
    )


def bootstrap(target: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the differences in ROC AUC and in log loss (ours minus theirs) on resampled rows, drawn alike.

    A resample is how often each row is drawn; one that holds a single class says nothing and is left out.
    """
    random = np.random.default_rng(SEED)
    positive = target.astype(bool)
    our_rank, their_rank = (np.unique(score, return_inverse=True)[1] for score in (ours, theirs))
    worse = losses(positive, ours) - losses(positive, theirs)
    in_auc, in_loss = [], []
    for _ in range(RESAMPLES):
        drawn = np.bincount(random.integers(0, len(target), len(target)), minlength=len(target))
        if 0 < drawn[positive].sum() < len(target):
            in_auc.append(weighted_auc(positive, our_rank, drawn) - weighted_auc(positive, their_rank, drawn))
            in_loss.append((drawn * worse).mean())
    return np.array(in_auc), np.array(in_loss)


def losses(positive: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return the log loss of each row. As scikit-learn's log_loss, their mean, it keeps off 0 and 1."""
    edge = np.finfo(probability.dtype).eps
    right = np.clip(np.where(positive, probability, 1 - probability), edge, 1 - edge)
    lost: np.ndarray = -np.log(right)
    return lost


def weighted_auc(positive: np.ndarray, rank: np.ndarray, weight: np.ndarray) -> float:
    """Return the ROC AUC of weighted rows: the share of pairs in the right order, ties counting half.

    `rank` holds whole numbers in the order of the scores, one for each score. It is scikit-learn's
    roc_auc_score, which checks its input anew for each of the thousand resamples.
    """
    positives = np.bincount(rank, weight * positive)
    negatives = np.bincount(rank, weight * ~positive)
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / (positives.sum() * negatives.sum()))


def collapses(
    rows: pd.DataFrame, target: np.ndarray, ours: np.ndarray, theirs: np.ndarray, slices: tuple[str, ...]
) -> list[str]:
    """Name the slices on which the challenger loses more than `SLICE_TOLERANCE`, and not by chance.

    Of many slices some seem worse by chance at 95 %: here it is 99 %.
    """
    found = []
    for column in slices:
        names = slice_names(rows[column])
        for name, inside in names.groupby(names).indices.items():
            positives = int(target[inside].sum())
            if len(inside) < SLICE_ROWS or min(positives, len(inside) - positives) < SLICE_CLASS:
                continue
            sliced = target[inside], ours[inside], theirs[inside]
            lost = roc_auc_score(sliced[0], sliced[2]) - roc_auc_score(sliced[0], sliced[1])
            if lost > SLICE_TOLERANCE and np.quantile(bootstrap(*sliced)[0], 0.99) < 0:
                found.append(f"{column} {name} loses {lost:.3f} ROC AUC")
    return found
