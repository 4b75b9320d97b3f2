"""Compares new data with the champion's by their validation reports; the bounds are in params.yaml.

A difference counts if it exceeds both its bound and `STANDARD_ERRORS` standard errors. The standard errors
matter only for a few hundred rows.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.checks.facts import TOP_VALUES
from pipeline.checks.parameters import ValidationParameters

import numpy as np

STANDARD_ERRORS = 4
# How many characters of a value are quoted.
LONGEST = 40


@dataclass(frozen=True)
class DataFacts:
    """What validation reports of the accepted rows, by column, and the type of each column.

    `target` is the target's column and positive value, `positive_share` the share of rows with that value.
    """

    rows: int
    target: tuple[str, Any]
    positive_share: float
    types: dict[str, str]
    columns: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, report: Mapping[str, Any], schema: Mapping[str, Any]) -> "DataFacts":
        """Return the facts in a validation report and in the section `schema` that it was made with.

        Raises:
            KeyError, TypeError: another version of the project wrote them in another format.
        """
        rows, target = int(report["accepted"]), schema["target"]
        columns = {name: dict(report["columns"][name]) for name in schema["columns"]}
        return cls(
            rows,
            (target["column"], target["positive"]),
            report["target"]["positives"] / rows,
            {name: schema["columns"][name]["type"] for name in columns},
            columns,
        )


def changes(new: DataFacts, old: DataFacts, bounds: ValidationParameters) -> Iterator[str]:
    """Yield the differences of new data beyond the bounds: rows, target, then each column."""
    if old.rows - new.rows > bounds.max_shrink * old.rows:
        yield (
            f"rows: {new.rows:,} vs {old.rows:,}, {percent(1 - new.rows / old.rows)} fewer, "
            f"more than validation.max_shrink {bounds.max_shrink}"
        )
    if new.target == old.target:
        yield from _target_change(new, old, bounds)
    for name in comparable(new, old):
        # The target is compared above.
        if name != new.target[0] or new.target != old.target:
            yield from _column_change(name, new, old, bounds)


def comparable(new: DataFacts, old: DataFacts) -> list[str]:
    """Return the columns that both have with the same type. A changed schema is not a change of the data."""
    return [name for name, kind in new.types.items() if old.types.get(name) == kind]


def not_comparable(new: DataFacts, old: DataFacts) -> list[str]:
    """Return the columns that only one of them has, or that differ in type."""
    return sorted({*new.types, *old.types} - {*comparable(new, old)})


def _target_change(new: DataFacts, old: DataFacts, bounds: ValidationParameters) -> Iterator[str]:
    ours, theirs = new.positive_share, old.positive_share
    # The bound is relative to the share of the rarer class: doubling a rare class changes few rows.
    apart = ours - theirs if theirs <= 0.5 else theirs - ours
    rarer = min(theirs, 1 - theirs)
    chance = _chance(new.rows, old.rows) * math.sqrt(rarer * (1 - rarer))
    if abs(apart) > max(bounds.max_target_change * rarer, chance):
        yield (
            f"target {new.target[0]}: {percent(ours)} positive vs {percent(theirs)}, the rarer class "
            f"{100 * apart / rarer:+.3g} %, more than validation.max_target_change {bounds.max_target_change}"
        )


def _column_change(name: str, new: DataFacts, old: DataFacts, bounds: ValidationParameters) -> Iterator[str]:
    ours, theirs = new.columns[name], old.columns[name]
    nulls, nulls_before = ours["null_share"], theirs["null_share"]
    if abs(nulls - nulls_before) > max(bounds.max_null_change, _chance(new.rows, old.rows) / 2):
        yield (
            f"{name}: {percent(nulls)} null vs {percent(nulls_before)}, "
            f"more than validation.max_null_change {bounds.max_null_change}"
        )
    known, known_before = new.rows * (1 - nulls), old.rows * (1 - nulls_before)
    if min(known, known_before) < 1:
        return
    chance = _chance(known, known_before)
    if "shares" in ours:
        yield from _category_change(name, ours, theirs, bounds.max_category_change, chance / 2)
    elif ours.get("mean") is not None and theirs.get("standard_deviation") is not None:
        yield from _mean_shift(name, ours, theirs, bounds.max_mean_shift, chance)


def _category_change(
    name: str, ours: dict[str, Any], theirs: dict[str, Any], bound: float, chance: float
) -> Iterator[str]:
    """Compare by the total variation distance: the smallest share of rows that must have changed value."""
    listed = ours["shares"] | theirs["shares"]
    pairs = {value: (_share(value, ours, theirs), _share(value, theirs, ours)) for value in listed}
    apart = {value: here - there for value, (here, there) in pairs.items()}
    # If the report lists only the most common values, the two sums differ; the larger is a lower bound.
    distance = max(sum(max(gap, 0) for gap in apart.values()), sum(max(-gap, 0) for gap in apart.values()))
    if distance > max(bound, chance):
        most = max(apart, key=lambda value: (abs(apart[value]), value))
        here, there = pairs[most]
        yield (
            f"{name}: {percent(distance)} of the rows with another value, most of all {most[:LONGEST]!r} "
            f"({percent(here)} vs {percent(there)}), more than validation.max_category_change {bound}"
        )


def _share(value: str, facts: dict[str, Any], others: dict[str, Any]) -> float:
    """Return a value's share of the rows that are not null. Nulls are compared separately."""
    shares, known = facts["shares"], 1 - facts["null_share"]
    if value in shares:
        return float(shares[value] / known)
    if len(shares) < TOP_VALUES:
        return 0.0
    # The value is not listed, so its share is at most the smallest listed share.
    return float(min(min(shares.values()) / known, others["shares"][value] / (1 - others["null_share"])))


def _mean_shift(
    name: str, ours: dict[str, Any], theirs: dict[str, Any], bound: float, chance: float
) -> Iterator[str]:
    shift = _difference(ours["mean"], theirs["mean"])
    # If the champion's data has a single value, use the standard deviation of the new data.
    deviation = theirs["standard_deviation"] or ours["standard_deviation"] or 0.0
    if abs(shift) > max(bound, chance) * deviation:
        by = f"{shift / deviation:+.3g} standard deviations" if deviation else "one value each"
        yield (
            f"{name}: mean {_mean(ours['mean'])} vs {_mean(theirs['mean'])}, {by}, "
            f"more than validation.max_mean_shift {bound}"
        )


def _difference(ours: float | str, theirs: float | str) -> float:
    """Return the difference of two means; in days for dates, which are ISO 8601 texts."""
    if isinstance(ours, str) and isinstance(theirs, str):
        return float((np.datetime64(ours) - np.datetime64(theirs)) / np.timedelta64(1, "D"))
    return float(ours) - float(theirs)


def _mean(mean: float | str) -> str:
    return mean.partition("T")[0] if isinstance(mean, str) else f"{mean:,.5g}"


def _chance(rows: float, others: float) -> float:
    """Return how far two means of so many rows may differ by chance, in standard deviations of a row.

    The standard deviation of a share is at most one half.
    """
    return STANDARD_ERRORS * math.sqrt(1 / rows + 1 / others)


def percent(share: float) -> str:
    """Return a share as a percentage."""
    return f"{100 * share:.3g} %"
