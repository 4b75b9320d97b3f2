"""The tests of new rows against old ones: numbers against scipy, detections, false alarms."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from operations.versions.drift import Drift
from operations.versions.drift_classifier import separated
from operations.versions.drift_gate import summarized
from operations.versions.drift_measures import holm, psi
from operations.versions.drift_tests import Side, compared
from pipeline.checks.parameters import DriftParameters
from stages import contract_with, row

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

pytestmark = pytest.mark.slow

CONTRACT = contract_with(
    opened={"path": "opened", "type": "datetime"}, area={"path": "area", "type": "number", "nullable": True}
)
TYPES = {name: column.type for name, column in CONTRACT.features.items()}
DAY = datetime.fromisoformat("2020-01-01")


def rows(first: int, beyond: int, change: Callable[[dict[str, Any]], dict[str, Any]] | None = None) -> Side:
    """Return the rows of a seed with a change; `probability` depends on them."""
    random = np.random.default_rng(first)
    made = []
    for number in range(first, beyond):
        area = None if random.random() < 0.02 else random.normal()
        each = row(number, opened=DAY + timedelta(days=int(random.integers(1000))), area=area)
        made.append(each | (change(each) if change else {}))
    frame = pd.DataFrame(made).astype({"opened": "datetime64[ms]", "area": float, "total_charges": float})
    probability = 1 / (1 + np.exp(-frame["monthly_charges"].to_numpy() / 50 + frame["tenure_months"] / 30))
    target = frame["churned"].to_numpy().astype(int)
    return Side(frame["_id"].to_numpy(), frame[[*TYPES]], target, probability.to_numpy())


def drift(new: Side, old: Side, **parameters: Any) -> Drift:
    """Return the summary of all tests."""
    return summarized(Drift(champion=1, rows=1), compared(new, old, TYPES), DriftParameters(**parameters))


OLD = rows(0, 2000)


def test_numbers_equal_scipy_and_scikit_learn() -> None:
    new = rows(2000, 3500, lambda each: {"monthly_charges": each["monthly_charges"] * 1.02})
    found = {each.subject: each for each in compared(new, OLD, TYPES)}

    raw = {}
    for name in ("tenure_months", "monthly_charges", "total_charges", "area"):
        sides = [side.columns[name].dropna() for side in (new, OLD)]
        expected = stats.ks_2samp(*sides, method="asymp")
        assert found[name].statistic == expected.statistic
        raw[name] = expected.pvalue
        edges = [-np.inf, *np.quantile(sides[1], np.arange(1, 10) / 10), np.inf]
        # A value at an edge belongs to the bin below it.
        shares = [np.histogram(-side, -np.array(edges)[::-1])[0] + 0.5 for side in sides]
        assert found[name].psi == pytest.approx(stats.entropy(*shares) + stats.entropy(*shares[::-1]))
    dates = [side.columns["opened"].to_numpy().astype("int64") for side in (new, OLD)]
    raw["opened"] = stats.ks_2samp(*dates, method="asymp").pvalue
    predicted = stats.ks_2samp(new.probability, OLD.probability, method="asymp")
    raw["predictions"] = predicted.pvalue
    for name in ("contract", "paperless"):
        table = np.array([side.columns[name].value_counts().sort_index().to_numpy() for side in (new, OLD)])
        expected = stats.chi2_contingency(table, correction=False)
        assert found[name].statistic == pytest.approx(expected.statistic)
        raw[name] = expected.pvalue
        shares = [counts + 0.5 for counts in table]
        assert found[name].psi == pytest.approx(stats.entropy(*shares) + stats.entropy(*shares[::-1]))
    for name in ("total_charges", "area"):
        nulls = [side.columns[name].isna() for side in (new, OLD)]
        table = np.array([[side.sum(), (~side).sum()] for side in nulls])
        raw[f"nulls of {name}"] = stats.chi2_contingency(table, correction=False).pvalue
    table = np.array([[side.target.sum(), len(side.ids) - side.target.sum()] for side in (new, OLD)])
    raw["target"] = stats.chi2_contingency(table, correction=False).pvalue
    ours, theirs, _ = separated((new.ids, new.columns), (OLD.ids, OLD.columns), TYPES, ["contract"])
    auc = roc_auc_score([1] * len(ours) + [0] * len(theirs), [*ours, *theirs])
    assert found["classifier"].statistic == pytest.approx(auc)
    raw["classifier"] = stats.mannwhitneyu(ours, theirs, alternative="greater").pvalue

    assert raw.keys() == found.keys()
    # Holm: the smallest of m p-values times m, the next times m - 1, never decreasing, at most 1.
    at_least = 0.0
    for at, (name, p) in enumerate(sorted(raw.items(), key=lambda pair: pair[1])):
        at_least = max(at_least, min(1.0, p * (len(raw) - at)))
        assert found[name].p_value == pytest.approx(at_least)


def test_holm_and_psi_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([])).tolist() == []
    # 0.2 * ln 1.5 - 0.2 * ln 0.6, except for the half row that is added to each bin.
    assert psi(np.array([6_000_000, 4_000_000]), np.array([4_000_000, 6_000_000])) == pytest.approx(
        0.4 * np.log(1.5), rel=1e-6
    )


INJECTED: dict[str, tuple[Callable[[dict[str, Any]], dict[str, Any]], str, str]] = {
    "a shifted price": (
        lambda each: {"monthly_charges": each["monthly_charges"] + 10},
        "monthly_charges",
        "mean 79.",
    ),
    "a new category": (
        lambda each: {"contract": "weekly"} if each["_id"].endswith("7") else {},
        "contract",
        "; new: weekly",
    ),
    "a vanished category": (
        lambda each: {"contract": each["contract"].replace("two year", "one year")},
        "contract",
        "; vanished: two year",
    ),
    "a tripled null rate": (
        lambda each: {"area": None} if int(each["_id"][2:]) % 25 == 0 else {},
        "nulls of area",
        " null vs 2",
    ),
    "another churn rate": (
        lambda each: {"churned": each["churned"] or each["_id"].endswith("3")},
        "target",
        " positive vs 25.6 %",
    ),
    "later dates": (
        lambda each: {"opened": each["opened"] + timedelta(days=200)},
        "opened",
        "mean 2021-12-02 vs 2021-05-16",
    ),
    "an inverted boolean": (
        lambda each: {"paperless": not each["paperless"]},
        "paperless",
        "61.3 % vs 38.7 %",
    ),
}


@pytest.mark.parametrize(("change", "subject", "detail"), INJECTED.values(), ids=INJECTED)
def test_injected_drift_is_found_and_named(
    change: Callable[[dict[str, Any]], dict[str, Any]], subject: str, detail: str
) -> None:
    found = drift(rows(0, 2000, change), OLD).found
    assert subject in [each.subject for each in found]
    assert detail in next(each.detail for each in found if each.subject == subject)


def test_classifier_finds_a_changed_correlation() -> None:
    # The contract no longer depends on the charges; both columns keep their values.
    linked = rows(0, 2000, lambda each: {"paperless": each["monthly_charges"] > 69})
    found = drift(rows(2000, 4000), linked).found

    assert [each.subject for each in found if each.subject not in ("paperless",)] == ["classifier"]
    assert found[-1].detail.startswith("ROC AUC 0.")
    assert "monthly_charges" in found[-1].detail
    assert "paperless" in found[-1].detail


def test_both_rows_of_a_customer_share_a_fold() -> None:
    # In different folds, the known row of the other side misleads the model: AUC below 0.5.
    dearer = rows(0, 2000, lambda each: {"monthly_charges": each["monthly_charges"] + 4})

    ours, theirs, top = separated((dearer.ids, dearer.columns), (OLD.ids, OLD.columns), TYPES, [*TYPES])

    assert roc_auc_score([1] * len(ours) + [0] * len(theirs), [*ours, *theirs]) > 0.55
    assert top[0] == "monthly_charges"


def test_new_rows_are_found_among_many_old_ones() -> None:
    dear = rows(2000, 2150, lambda each: {"monthly_charges": each["monthly_charges"] + 60})
    frames = [pd.concat([OLD.columns, dear.columns]), np.concatenate([OLD.ids, dear.ids])]
    new = Side(frames[1], frames[0].reset_index(drop=True))

    found = drift(new, OLD).found

    assert {(each.subject, each.rows) for each in found} >= {
        ("monthly_charges", "new"),
        ("classifier", "new"),
    }
    assert found[0].text().startswith("monthly_charges of new rows PSI ")


def test_random_halves_raise_fewer_false_alarms_than_stated() -> None:
    # benchmarks/data_change.py repeats it 200 times.
    everyone, random = rows(0, 1600), np.random.default_rng(0)
    alarms = []
    for _ in range(4):
        half = random.permutation(1600) < 800
        alarms += [each.text() for each in drift(everyone.only(half), everyone.only(~half), warn=0.0).found]

    assert alarms == []


def test_equal_or_few_rows_are_not_drift() -> None:
    same = compared(OLD, OLD, TYPES)
    assert [each for each in same if each.p_value < 1] == []
    assert next(each for each in same if each.subject == "classifier").statistic < 0.52
    assert compared(rows(0, 99), OLD, TYPES) == []
    # A single value on both sides is not tested; another value is a finding.
    one = rows(0, 300, lambda _: {"monthly_charges": 5.0, "paperless": True, "area": None})
    assert {each.subject for each in compared(one, one, TYPES)}.isdisjoint({"paperless", "area"})
    other = rows(0, 300, lambda _: {"monthly_charges": 5.01, "paperless": False})
    assert {"monthly_charges", "paperless"} <= {each.subject for each in drift(other, one).found}


def test_drift_text_is_one_short_line() -> None:
    shifted = rows(0, 2000, INJECTED["a shifted price"][0])
    finding = next(each for each in compared(shifted, OLD, TYPES) if each.subject == "monthly_charges")
    many = Drift(champion=3, rows=10, found=[finding] * 5)

    assert many.text().startswith("drift from version 3: monthly_charges PSI 0.")
    assert many.text().endswith(", and 2 more")
    assert Drift(champion=3, rows=10).text() == "no drift from version 3"
    lost = Drift(champion=3, not_compared=["it is gone"])
    assert lost.text() == "drift from version 3 not measured: it is gone"
