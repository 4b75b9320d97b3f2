"""Validation's facts about a column equal those of pandas, for any division into parts."""

import json
import random
from datetime import datetime
from itertools import pairwise
from typing import Any

from pipeline.checks.facts import TOP_VALUES, merge, part_facts
from stages import table, target_and

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

CONTRACT = target_and(
    i={"type": "integer", "nullable": True},
    n={"type": "number", "nullable": True},
    b={"type": "boolean", "nullable": True},
    c={"type": "category", "nullable": True},
    d={"type": "datetime", "nullable": True},
    s={"type": "string", "nullable": True},
)


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    rng = random.Random(seed)

    def maybe(value: Any) -> Any:
        return None if rng.random() < 0.1 else value

    return [
        {
            "_id": str(number),
            "y": rng.random() < 0.3,
            "i": maybe(rng.randrange(-(10**15), 10**15)),
            "n": maybe(rng.lognormvariate(0, 30)),
            "b": maybe(rng.random() < 0.5),
            "c": maybe(rng.choice("abcdefghijklmnopqrstuvwxyz")),
            "d": maybe(datetime.fromisoformat(f"2020-{rng.randrange(1, 13):02}-01T05:06:07.008")),
            "s": maybe("text"),
        }
        for number in range(count)
    ]


def report(*parts: pa.Table) -> dict[str, Any]:
    return merge([part_facts(part, CONTRACT) for part in parts], CONTRACT)


def test_facts_equal_pandas() -> None:
    data = rows(3000)
    frame = pd.DataFrame(data)

    found = report(table(data, CONTRACT))

    assert list(found) == list(CONTRACT.columns)
    for name, fact in found.items():
        assert fact["null_share"] == round(float(frame[name].isna().mean()), 6)
    for name in ("i", "n"):
        assert found[name]["minimum"] == frame[name].min()
        assert found[name]["maximum"] == frame[name].max()
        last = 1e-11 * float(frame[name].abs().max())
        assert found[name]["mean"] == pytest.approx(frame[name].mean(), abs=last)
        assert found[name]["standard_deviation"] == pytest.approx(frame[name].std(ddof=0), abs=last)
    assert found["d"]["minimum"] == frame["d"].min().isoformat(timespec="milliseconds")
    assert found["d"]["maximum"] == frame["d"].max().isoformat(timespec="milliseconds")
    mean = frame["d"].mean().to_datetime64()
    assert abs(np.datetime64(found["d"]["mean"]) - mean) <= np.timedelta64(10, "ms")
    days = frame["d"].std(ddof=0) / pd.Timedelta(days=1)
    assert found["d"]["standard_deviation"] == pytest.approx(days, abs=1e-6)
    shares = (frame["c"].value_counts() / len(frame)).round(6)
    assert len(found["c"]["shares"]) == TOP_VALUES < len(shares)
    assert all(shares[value] == share for value, share in found["c"]["shares"].items())
    assert min(found["c"]["shares"].values()) >= shares.drop(list(found["c"]["shares"])).max()
    assert found["b"]["shares"] == {
        "true": round(float((frame["b"] == True).mean()), 6),  # noqa: E712 - it holds nulls
        "false": round(float((frame["b"] == False).mean()), 6),  # noqa: E712
    }
    assert found["s"] == {"null_share": round(float(frame["s"].isna().mean()), 6)}


@given(cuts=st.lists(st.integers(0, 400), max_size=6))
def test_facts_do_not_depend_on_the_parts(cuts: list[int]) -> None:
    whole = table(rows(400), CONTRACT)
    edges = sorted([0, *cuts, 400])

    parts = [whole.slice(start, stop - start) for start, stop in pairwise(edges)]

    # To the last written digit, since DVC hashes the file.
    assert report(*parts) == report(whole)


@pytest.mark.slow
def test_large_sums_are_exact() -> None:
    # The last bit of these doubles is 1, so their sum depends on the order.
    contract = target_and(n={"type": "number"})
    values = [random.Random(number).uniform(1e9, 9e9) for number in range(10_000)]
    whole = table([{"_id": "", "y": True, "n": value} for value in values], contract)

    means = {
        merge([part_facts(whole.slice(at, size), contract) for at in range(0, 10_000, size)], contract)["n"][
            "mean"
        ]
        for size in (10_000, 5000, 1000, 37, 7, 1)
    }

    assert len(means) == 1


@pytest.mark.parametrize("values", [[0.0, -0.0], [-0.0, 0.0], [-0.0]], ids=str)
def test_negative_zero_is_zero(values: list[float]) -> None:
    contract = target_and(n={"type": "number"})
    parts = [table([{"_id": "", "y": True, "n": value}], contract) for value in values]

    found = merge([part_facts(part, contract) for part in parts], contract)["n"]

    facts = ("null_share", "minimum", "maximum", "mean", "standard_deviation")
    assert str(found) == str(dict.fromkeys(facts, 0.0))


def test_deviation_of_constant_and_tiny_columns() -> None:
    contract = target_and(same={"type": "number"}, tiny={"type": "number"})
    data = [{"_id": "", "y": True, "same": 0.1, "tiny": 1e-12 * number} for number in range(1000)]

    found = merge([part_facts(table(data, contract), contract)], contract)

    assert (found["same"]["mean"], found["same"]["standard_deviation"]) == (0.1, 0.0)
    assert found["tiny"]["mean"] == pytest.approx(499.5e-12)
    assert found["tiny"]["standard_deviation"] == pytest.approx(288.67499e-12)


def test_overflow_has_no_mean() -> None:
    contract = target_and(n={"type": "number"})
    parts = [
        table([{"_id": "", "y": True, "n": value}] * 2, contract) for value in (1.7e308, 1e200, -1.7e308)
    ]

    for some in (parts[:1], parts[1:2], parts):
        found = merge([part_facts(part, contract) for part in some], contract)["n"]
        assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_no_rows_have_no_facts() -> None:
    found = report(table([], CONTRACT))

    none = dict.fromkeys(("minimum", "maximum", "mean", "standard_deviation"))
    assert found["n"] == found["d"] == {"null_share": 0.0} | none
    assert found["c"] == {"null_share": 0.0, "shares": {}}
