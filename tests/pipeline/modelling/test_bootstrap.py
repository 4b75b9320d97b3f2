"""The bootstrap, and its scores of weighted rows against scikit-learn."""

from pipeline.modelling.bootstrap import EXACT, Cells, losses, ranks, weighted_auc, weighted_precision

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 3)), min_size=2, max_size=40).filter(
        lambda rows: {positive for positive, _, weight in rows if weight} == {True, False}
    )
)
def test_weighted_scores_equal_scikit_learn(rows: list[tuple[bool, int, int]]) -> None:
    positive, score, weight = (np.array(column) for column in zip(*rows, strict=True))

    auc = roc_auc_score(positive, score, sample_weight=weight)
    assert weighted_auc(positive, ranks(score), weight) == pytest.approx(auc)
    precision = average_precision_score(positive, score, sample_weight=weight)
    assert weighted_precision(positive, ranks(score), weight) == pytest.approx(precision)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=40))
def test_mean_loss_equals_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    positive, probability = (np.array(column) for column in zip(*rows, strict=True))

    expected = log_loss(positive, probability, labels=[False, True])
    assert losses(positive, probability).mean() == pytest.approx(expected)


def test_resamples_are_the_same_each_time() -> None:
    first, second = ([*Cells(50).resamples(3)] for _ in range(2))

    assert np.array_equal(first, second)
    assert [drawn.sum() for drawn in first] == [50] * 3


def test_many_rows_are_few_cells() -> None:
    rows = EXACT + 1
    score, positive = np.random.default_rng(0).random(rows), np.arange(rows) % 2 == 0
    rank = ranks(score, 10)
    cells = Cells(rows, rank, positive)

    assert len(cells.count) == 20
    assert cells.count.sum() == rows
    assert (cells.mean(score) @ cells.count) == pytest.approx(score.sum())
    assert (positive[cells.first][cells.cell] == positive).all()
    assert [drawn.sum() for drawn in cells.resamples(3)] == [rows] * 3
    # Equal scores have one rank, also where a bin would end between them.
    assert len(set(ranks(np.round(score, 1), 1_000).tolist())) == 11
