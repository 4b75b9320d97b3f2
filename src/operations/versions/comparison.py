"""Compares a new version with the champion: both models on holdout rows that neither was trained on."""

from typing import Any

from operations.versions.decision import Decision
from pipeline.config.contract import Contract
from pipeline.modelling.bootstrap import PAIRED_BINS, RESAMPLES, Cells, losses, ranks, weighted_auc
from pipeline.modelling.matrix import served_probabilities
from pipeline.modelling.slices import slice_names

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

# The largest loss of ROC AUC that a challenger may have, with 95 % confidence.
TOLERANCE = 0.01
# The largest increase of the log loss, with 95 % confidence, as a share of the log loss of the base-rate
# predictor. ROC AUC sees only the order of the probabilities, the log loss sees their values.
LOSS_TOLERANCE = 0.10
# The largest loss of ROC AUC on a slice. Smaller slices, by rows or by rows of one class, are not compared.
SLICE_TOLERANCE, SLICE_ROWS, SLICE_CLASS = 0.10, 100, 10
# A comparison on fewer rows is too uncertain.
LEAST_ROWS = 100


def compare(
    challenger: Any,
    champion: Any,
    champion_number: int,
    rows: pd.DataFrame,
    contract: Contract,
    slices: tuple[str, ...],
) -> Decision:
    """Decide by a paired bootstrap of the differences in ROC AUC and in log loss, with a fixed seed.

    `rows` are holdout rows, as transformation writes them, that neither model was trained on.
    The challenger is promoted unless the 5th percentile of the difference in ROC AUC is below -`TOLERANCE`,
    the 95th percentile of the difference in log loss is above `LOSS_TOLERANCE`, or a slice loses more than
    `SLICE_TOLERANCE`.
    """
    target = rows[contract.target.column].to_numpy()
    if len(rows) < LEAST_ROWS or target.min() == target.max():
        why = f"too few to compare: {len(rows)} rows of the holdout are new to both models, or of one class"
        return Decision(False, why, champion_number, len(rows))
    features = rows[list(contract.features)]
    ours = served_probabilities(challenger, features)
    try:
        theirs = served_probabilities(champion, features)
    except (MemoryError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - a column of another type can raise anything in a model
        return incomparable(champion_number, error)
    in_auc, in_loss = bootstrap(target, ours, theirs)
    our_score, their_score = roc_auc_score(target, ours), roc_auc_score(target, theirs)
    our_loss, their_loss = log_loss(target, ours), log_loss(target, theirs)
    low, worst, high = (float(bound) for bound in np.quantile(in_auc, (0.025, 0.05, 0.975)))
    worst_loss = float(np.quantile(in_loss, 0.95))
    allowed = LOSS_TOLERANCE * log_loss(target, np.full(len(target), target.mean()))
    against = []
    if worst < -TOLERANCE:
        against.append(f"it may be {-worst:.4f} lower (95 % confidence), and {TOLERANCE} is allowed")
    if worst_loss > allowed:
        against.append(
            f"log loss {our_loss:.4f} vs {their_loss:.4f}: it may be {worst_loss:.4f} higher "
            f"(95 % confidence), and {allowed:.4f} is allowed"
        )
    if collapsed := collapses(rows, target, ours, theirs, slices):
        against.append(f"a slice collapses: {', '.join(collapsed)}")
    return Decision(
        True,
        f"ROC AUC {our_score:.4f} vs {their_score:.4f} (version {champion_number}), "
        f"95 % interval {low:+.4f} to {high:+.4f}",
        champion_number,
        len(rows),
        round(float(our_score), 6),
        round(float(their_score), 6),
        round(float(our_score - their_score), 6),
        round(low, 6),
        round(high, 6),
        round(worst, 6),
        round(float(our_loss - their_loss), 6),
        round(worst_loss, 6),
    ).stopped(*against)


def incomparable(number: int, error: BaseException) -> Decision:
    """Return the decision against a new version because version `number` cannot score the holdout."""
    return Decision(
        False,
        f"version {number} cannot score this holdout ({type(error).__name__}): the schema has changed, or "
        "the packages; 'pipeline rollback' with the new version's number makes it champion all the same",
        number,
    )


def bootstrap(target: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the differences in ROC AUC and in log loss (ours minus theirs) on the same resamples.

    A resample with a single class has no ROC AUC and is skipped.
    """
    positive = target.astype(bool)
    our_rank, their_rank = ranks(ours, PAIRED_BINS), ranks(theirs, PAIRED_BINS)
    cells = Cells(len(target), our_rank, their_rank, positive)
    worse = cells.mean(losses(positive, ours) - losses(positive, theirs))
    positive, our_rank, their_rank = (values[cells.first] for values in (positive, our_rank, their_rank))
    in_auc, in_loss = [], []
    for drawn in cells.resamples(RESAMPLES):
        if 0 < drawn[positive].sum() < len(target):
            in_auc.append(weighted_auc(positive, our_rank, drawn) - weighted_auc(positive, their_rank, drawn))
            in_loss.append((drawn * worse).sum() / len(target))
    return np.array(in_auc), np.array(in_loss)


def collapses(
    rows: pd.DataFrame, target: np.ndarray, ours: np.ndarray, theirs: np.ndarray, slices: tuple[str, ...]
) -> list[str]:
    """Return the slices on which the challenger loses more than `SLICE_TOLERANCE`, with 99 % confidence.

    At 95 %, some of many slices would seem worse by chance.
    """
    collapsed = []
    for column in slices:
        names = slice_names(rows[column])
        for name, inside in names.groupby(names).indices.items():
            positives = int(target[inside].sum())
            if len(inside) < SLICE_ROWS or min(positives, len(inside) - positives) < SLICE_CLASS:
                continue
            sliced = target[inside], ours[inside], theirs[inside]
            lost = roc_auc_score(sliced[0], sliced[2]) - roc_auc_score(sliced[0], sliced[1])
            if lost > SLICE_TOLERANCE and np.quantile(bootstrap(*sliced)[0], 0.99) < 0:
                collapsed.append(f"{column} {name} loses {lost:.3f} ROC AUC")
    return collapsed
