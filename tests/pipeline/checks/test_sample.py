"""The sample for leakage is bounded, has a rare class whole, and does not depend on the parts."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.checks import sample as module
from pipeline.checks.leakage import suspicious
from pipeline.checks.sample import positive, sample, shares
from pipeline.config.contract import Contract
from pipeline.data.parts import write_part
from stages import contract_with, target_and

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

CONTRACT = target_and(
    leak={"type": "number"},
    almost={"type": "number"},
    imprecise={"type": "category"},
    honest={"type": "number"},
)
ROWS = 20_000


def rows(rate: float, count: int = ROWS) -> pa.Table:
    """Return rows with a share of positives, a copy of the target, two weaker ones and noise."""
    rng = np.random.default_rng(0)
    target = rng.random(count) < rate
    columns = {
        "_id": [f"C-{number:06}" for number in range(count)],
        "y": target,
        "leak": target + rng.random(count) * 0.5,
        "almost": target * 2.0 + rng.normal(size=count) * 0.7,
        # A rare class has fewer rows here than the other class: a high ROC AUC, but a low precision.
        "imprecise": np.where(target | (rng.random(count) < 0.01), "a", "b"),
        "honest": rng.normal(size=count),
    }
    return pa.table(columns).cast(CONTRACT.arrow())


def sampled(table: pa.Table, cuts: Sequence[int], folder: Path, contract: Contract = CONTRACT) -> pa.Table:
    """Write a table as parts, and return the sample of them."""
    paths = []
    folder.mkdir(exist_ok=True)
    for number, start in enumerate([0, *cuts]):
        paths.append(folder / f"{number}.parquet")
        write_part(table.slice(start, [*cuts, len(table)][number] - start), paths[-1])
    with ThreadPoolExecutor(2) as executor:
        return sample(paths, contract, classes(table), executor)


def classes(table: pa.Table) -> tuple[int, int]:
    positives = int(positive(table, CONTRACT).sum())
    return len(table) - positives, positives


def test_below_the_bound_all_rows_are_sampled(tmp_path: Path) -> None:
    table = rows(0.3)

    found = sampled(table, [7, 5_000], tmp_path)

    assert found.equals(table.drop(["_id"]))
    whole = suspicious(table, CONTRACT, 0.99)
    assert list(whole) == ["leak", "almost", "imprecise"]
    assert suspicious(found, CONTRACT, 0.99, classes(table)) == whole


def test_the_sample_does_not_depend_on_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", 2_000)
    table = rows(0.3)

    found = sampled(table, [], tmp_path / "one")

    assert sampled(table, [1, 1, 300, 7_000, 19_999], tmp_path / "several").equals(found)
    # A customer stays in the sample while others leave.
    fewer = sampled(table.slice(0, 15_000), [], tmp_path / "fewer")
    assert set(found["honest"].to_pylist()[:1_000]) <= set(fewer["honest"].to_pylist())


@pytest.mark.parametrize("rate", [0.5, 0.3, 0.02, 0.98])
def test_the_sample_is_bounded_and_scores_as_all_rows_do(
    rate: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 4_000)
    table = rows(rate)

    found = sampled(table, [10_000], tmp_path)

    assert 3_700 < len(found) < 4_300
    positives = int(positive(found, CONTRACT).sum())
    assert min(positives, len(found) - positives) > min(*classes(table), 1_850) - 1
    scores = suspicious(found, CONTRACT, 0.99, classes(table))
    whole = suspicious(table, CONTRACT, 0.99)
    assert list(scores) == list(whole)
    assert scores == pytest.approx(whole, abs=0.005)


@given(negatives=st.integers(0, 10**9), positives=st.integers(0, 10**9), columns=st.integers(1, 3_000))
def test_the_sample_is_full_and_prefers_the_rarer_class(negatives: int, positives: int, columns: int) -> None:
    of_negatives, of_positives = shares(negatives, positives, columns)

    most = min(module.ROWS, module.VALUES // columns)
    taken = of_negatives * negatives, of_positives * positives
    assert max(of_negatives, of_positives) <= 1
    assert sum(taken) == pytest.approx(min(negatives + positives, most), rel=1e-6)
    # A class with fewer rows in the sample than the other is whole.
    for mine, other, share in ((taken[0], taken[1], of_negatives), (taken[1], taken[0], of_positives)):
        assert share == 1 or mine >= other * (1 - 1e-6)


def test_without_rows_the_sample_is_empty() -> None:
    contract = contract_with()
    with ThreadPoolExecutor(1) as executor:
        found = sample([], contract, (0, 0), executor)

    assert found.column_names == [contract.target.column, *contract.features]
    assert suspicious(found, contract, 0.99, (0, 0)) == {}
