"""Columns in train and test against scipy, and partial dependence against scikit-learn."""

from pipeline.config.contract import Contract
from pipeline.modelling.models import build
from pipeline.reporting.columns import OTHER, columns
from pipeline.reporting.effects import partial_dependence
from stages import target_and

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from sklearn.inspection import partial_dependence as of_scikit_learn
from threadpoolctl import threadpool_limits

CONTRACT: Contract = target_and(
    amount={"type": "number", "nullable": True},
    city={"type": "category"},
    vip={"type": "boolean", "nullable": True},
    since={"type": "datetime", "nullable": True},
    never={"type": "number", "nullable": True},
)


def rows(seed: int, count: int, shift: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    amount = random.normal(shift, size=count)
    amount[::10] = np.nan
    since = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, count), "D"))
    frame = {
        "amount": amount,
        "city": random.choice([f"c{i}" for i in range(12)], count),
        "vip": random.choice(np.array([True, False, None], dtype=object), count),
        "since": since.astype("datetime64[ms]").where(random.random(count) < 0.9),
        "never": np.full(count, np.nan),
    }
    score = np.nan_to_num(amount) + (frame["vip"] == True) + random.logistic(size=count)  # noqa: E712
    return pd.DataFrame(frame | {"y": (score > 0).astype("int8")})


def test_facts_of_both_splits() -> None:
    train, test = rows(1, 500), rows(2, 300, shift=0.5)

    amount, city, vip, since, never = columns(train, test, CONTRACT)

    for fact, name in ((amount, "amount"), (since, "since")):
        sides = [
            frame[name].dropna().astype("int64" if name == "since" else "float64") for frame in (train, test)
        ]
        assert fact["difference"] == pytest.approx(ks_2samp(*sides).statistic)
        assert sum(share for _, share, _ in fact["bars"]) == pytest.approx(1)
        assert sum(share for _, _, share in fact["bars"]) == pytest.approx(1)
    assert (amount["train_nulls"], amount["test_nulls"]) == (0.1, 0.1)
    assert since["range"][0].startswith("2020-01-0")
    shares = [frame["city"].value_counts(normalize=True) for frame in (train, test)]
    assert city["difference"] == pytest.approx((shares[0] - shares[1]).abs().sum() / 2)
    assert city["bars"][0] == (shares[0].idxmax(), shares[0].max(), shares[1][shares[0].idxmax()])
    assert city["bars"][-1][0] == OTHER
    assert {name for name, _, _ in vip["bars"]} == {"true", "false"}
    assert (never["bars"], never["difference"], never["train_nulls"]) == ([], None, 1.0)


def test_partial_dependence_equals_scikit_learn() -> None:
    train = rows(1, 100).drop(columns="never")
    contract = target_and(**{name: CONTRACT.columns[name].model_dump() for name in train if name != "y"})
    features = train[list(contract.features)]
    model = build(contract, "random_forest", {"n_estimators": 3}, {}, 0).fit(features, train["y"])
    before = features.copy()

    with threadpool_limits(1):
        found = partial_dependence(model, features, [*features])

    pd.testing.assert_frame_equal(features, before)
    # scikit-learn has no nulls in a category, and no dates.
    for name in ("amount", "city"):
        with threadpool_limits(1):
            expected = of_scikit_learn(
                model,
                features.astype({name: object}),
                [name],
                categorical_features=[name],
                custom_values={name: np.array([row["value"] for row in found[name]], dtype=object)},
                method="brute",
                kind="average",
            )["average"][0]
        assert [row["probability"] for row in found[name]] == pytest.approx(expected.tolist())
    for row in found["since"][:2]:
        same = features.assign(since=pd.Series([row["value"]] * 100, dtype=features["since"].dtype))
        assert row["probability"] == pytest.approx(model.predict_proba(same)[:, 1].mean())
    assert partial_dependence(model, features, []) == {}
