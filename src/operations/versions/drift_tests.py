"""Two-sample tests of new data against old data: columns, nulls, target, predictions and a classifier.

The population stability index (PSI) measures the size of a difference; the p-value shows whether it may be
chance.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from operations.versions.data_change import percent
from operations.versions.drift import NULLS, Finding, Rows
from operations.versions.drift_classifier import doubles, separated
from operations.versions.drift_measures import binned, holm, psi

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency, ks_2samp, mannwhitneyu

# A side with fewer rows is not tested.
LEAST_ROWS = 100
# All but the most common categories, and those too rare for a chi-squared test, count as one.
CATEGORIES, LEAST_EXPECTED = 30, 5
# The number of values or columns in a text, of listed values, and of characters of each.
NAMED, LISTED, LONGEST = 3, 10, 40


@dataclass(frozen=True)
class Side:
    """Rows of one side: the ids, the columns, the target (0 or 1), and the champion's predictions.

    All have the same length. Their order does not depend on the data, since the classifier uses the first
    rows. `probability` is NaN for rows without a prediction. A side without a target or predictions has None.
    """

    ids: np.ndarray
    columns: pd.DataFrame
    target: np.ndarray | None = None
    probability: np.ndarray | None = None

    def only(self, rows: np.ndarray) -> "Side":
        """Return the rows of a boolean mask."""
        target, probability = self.target, self.probability
        return Side(
            self.ids[rows],
            self.columns[rows],
            None if target is None else target[rows],
            None if probability is None else probability[rows],
        )


def compared(new: Side, old: Side, types: Mapping[str, str]) -> list[Finding]:
    """Return the tests of all new rows, then of the rows with new ids, against all old rows.

    All rows show the change of the training data. But most of them are in both samples and hide the arrivals;
    the p-values are then too high, never too low. `types` are the types of the columns.
    """
    tests = list(_tests(new, old, types, "all"))
    arrived = ~pd.Index(new.ids).isin(old.ids)
    if LEAST_ROWS <= arrived.sum() < len(arrived):
        tests += _tests(new.only(arrived), old, types, "new")
    adjusted = holm(np.array([test.p_value for test in tests]))
    return [test.model_copy(update={"p_value": p}) for test, p in zip(tests, adjusted.tolist(), strict=True)]


def _tests(new: Side, old: Side, types: Mapping[str, str], rows: Rows) -> Iterator[Finding]:
    if min(len(new.ids), len(old.ids)) < LEAST_ROWS:
        return
    sizes: dict[str, float] = {}
    for name, kind in types.items():
        for finding in _of_column(name, new.columns[name], old.columns[name], kind, rows):
            sizes[name] = max(sizes.get(name, 0.0), finding.psi)
            yield finding
    if new.target is not None and old.target is not None:
        yield from _shares("target", new.target == 1, old.target == 1, "positive", rows)
    if new.probability is not None and old.probability is not None:
        yield from _numbers("predictions", _known(new.probability), _known(old.probability), "number", rows)
    if types:
        yield _classifier(new, old, types, sizes, rows)


def _of_column(name: str, new: pd.Series, old: pd.Series, kind: str, rows: Rows) -> Iterator[Finding]:
    null, null_before = new.isna().to_numpy(), old.isna().to_numpy()
    yield from _shares(f"{NULLS}{name}", null, null_before, "null", rows)
    if kind in ("category", "boolean"):
        yield from _categories(name, new[~null], old[~null_before], rows)
    else:
        yield from _numbers(name, _known(doubles(new, kind)), _known(doubles(old, kind)), kind, rows)


def _numbers(subject: str, new: np.ndarray, old: np.ndarray, kind: str, rows: Rows) -> Iterator[Finding]:
    if min(len(new), len(old)) < LEAST_ROWS:
        return
    tested = ks_2samp(new, old, method="asymp")
    yield Finding(
        subject=subject,
        rows=rows,
        psi=psi(*binned(new, old)),
        test="Kolmogorov-Smirnov",
        statistic=tested.statistic,
        p_value=tested.pvalue,
        detail=f"mean {_mean(new, kind)} vs {_mean(old, kind)}",
    )


def _categories(subject: str, new: pd.Series, old: pd.Series, rows: Rows) -> Iterator[Finding]:
    if min(len(new), len(old)) < LEAST_ROWS:
        return
    counts = pd.DataFrame({"new": new.value_counts(), "old": old.value_counts()}).fillna(0)
    counts["both"] = counts["new"] + counts["old"]
    counts = counts.sort_index().sort_values("both", ascending=False, kind="stable")
    expected = counts["both"] * min(len(new), len(old)) / (len(new) + len(old))
    kept = (expected >= LEAST_EXPECTED) & (np.arange(len(counts)) < CATEGORIES)
    table = counts.loc[kept, ["new", "old"]].to_numpy()
    rest = counts.loc[~kept, ["new", "old"]].to_numpy().sum(axis=0)
    if rest.sum() * min(len(new), len(old)) / (len(new) + len(old)) >= LEAST_EXPECTED:
        table = np.vstack([table, rest])
    moved = (counts["new"] / len(new) - counts["old"] / len(old)).abs().idxmax()
    shares = [percent((side == moved).mean()) for side in (new, old)]
    detail = f"{_named([moved])} {shares[0]} vs {shares[1]}"
    appeared, vanished = (list(counts.index[counts[side] == 0]) for side in ("old", "new"))
    if appeared:
        detail += f"; new: {_named(appeared)}"
    if vanished:
        detail += f"; vanished: {_named(vanished)}"
    for finding in _table(subject, table, detail, rows):
        changes = {"new_categories": _texts(appeared), "vanished_categories": _texts(vanished)}
        yield finding.model_copy(update=changes)


def _shares(subject: str, new: np.ndarray, old: np.ndarray, word: str, rows: Rows) -> Iterator[Finding]:
    table = np.array([[new.sum(), old.sum()], [(~new).sum(), (~old).sum()]])
    yield from _table(subject, table, f"{percent(new.mean())} {word} vs {percent(old.mean())}", rows)


def _table(subject: str, table: np.ndarray, detail: str, rows: Rows) -> Iterator[Finding]:
    """Test a table of counts, shape (values, 2). A single value on both sides is not tested."""
    if len(table) < 2 or not table.sum(axis=1).all():
        return
    tested = chi2_contingency(table, correction=False)
    yield Finding(
        subject=subject,
        rows=rows,
        psi=psi(table[:, 0], table[:, 1]),
        test="chi-squared",
        statistic=tested.statistic,
        p_value=tested.pvalue,
        detail=detail,
    )


def _classifier(
    new: Side, old: Side, types: Mapping[str, str], sizes: Mapping[str, float], rows: Rows
) -> Finding:
    """Test the scores of a classifier that separates both sides, which finds changes of several columns."""
    largest = sorted(sizes, key=lambda name: -sizes[name])
    ours, theirs, top = separated((new.ids, new.columns), (old.ids, old.columns), types, largest)
    tested = mannwhitneyu(ours, theirs, alternative="greater")
    auc = float(tested.statistic) / (len(ours) * len(theirs))
    return Finding(
        subject="classifier",
        rows=rows,
        psi=psi(*binned(ours, theirs)),
        test="Mann-Whitney",
        statistic=auc,
        p_value=tested.pvalue,
        detail=f"ROC AUC {auc:.3f}{f' by {_named(top)}' if top else ''}",
    )


def _known(values: np.ndarray) -> np.ndarray:
    known: np.ndarray = values[~np.isnan(values)]
    return known


def _mean(values: np.ndarray, kind: str) -> str:
    mean = float(values.mean())
    return str(np.datetime64(int(mean), "ms"))[:10] if kind == "datetime" else f"{mean:,.4g}"


def _named(values: list[Any]) -> str:
    more = f" and {len(values) - NAMED} more" if len(values) > NAMED else ""
    return ", ".join(_texts(values)[:NAMED]) + more


def _texts(values: list[Any]) -> list[str]:
    return [
        str(value).lower() if isinstance(value, bool | np.bool_) else str(value)[:LONGEST]
        for value in values[:LISTED]
    ]
