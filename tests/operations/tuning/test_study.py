"""An interrupted search has the same trials; the gain is tested as by Nadeau and Bengio."""

from typing import Any

from operations.tuning.results import gain
from operations.tuning.study import Trial, search
from pipeline.modelling.search import Values

import numpy as np
import pytest
from scipy import stats

SPACE = {
    "rate": Values(low=0.01, high=1.0, log=True),
    "leaves": Values(low=2, high=60),
    "kind": Values(choices=("a", "b")),
}
DEFAULTS = {"rate": 2.0, "leaves": None, "kind": "b", "fixed": 0}


def score(block: dict[str, Any]) -> float | None:
    """Return scores; the best are near rate 0.1 and leaves 20, and some parameters cannot be fitted."""
    if block["leaves"] > 55:
        return None
    return -((np.log10(block["rate"]) + 1) ** 2) - ((block["leaves"] - 20) / 60) ** 2 - (block["kind"] == "b")


def found(trials: int, present: dict[str, Any], space: dict[str, Values] = SPACE) -> list[Trial]:
    asked: list[int] = []

    def evaluate(blocks: list[dict[str, Any]]) -> list[float | None]:
        asked.append(len(blocks))
        return [score(block) for block in blocks]

    done = list(search(space, present, DEFAULTS, 0, evaluate, trials))
    assert sum(asked) == trials
    return done


def test_search_starts_from_present_and_default_parameters() -> None:
    present = {"rate": 0.9, "leaves": 50, "kind": "a", "fixed": 7}

    trials = found(60, present)

    assert [trial.number for trial in trials] == list(range(60))
    assert trials[0].block == present
    # A default outside its range becomes the nearest end, or the lower one.
    assert trials[1].block == {"rate": 1.0, "leaves": 2, "kind": "b", "fixed": 7}
    assert all(trial.block["fixed"] == 7 for trial in trials)
    assert all(0.01 <= trial.block["rate"] <= 1 and 2 <= trial.block["leaves"] <= 60 for trial in trials)
    assert any(trial.score is None for trial in trials)
    best = max(trial.score for trial in trials if trial.score is not None)
    assert best > -0.02 > (trials[0].score or 0)


@pytest.mark.parametrize(
    "present", [{"rate": 0.9, "leaves": 50, "kind": "a"}, {"rate": 5.0, "leaves": 3, "kind": "a"}]
)
def test_fewer_trials_are_a_prefix_of_more(present: dict[str, Any]) -> None:
    assert found(7, present) == found(30, present)[:7]


def test_gain_is_the_corrected_resampled_t_test() -> None:
    rng = np.random.default_rng(0)
    present = rng.normal(0.80, 0.01, 20)
    winner = present + rng.normal(0.004, 0.003, 20)

    judged = gain(winner, present)

    # Five folds: four rows to fit on for each row to score.
    mean, spread = (winner - present).mean(), (winner - present).std(ddof=1)
    interval = stats.t.interval(0.95, 19, loc=mean, scale=spread * np.sqrt(1 / 20 + 1 / 4))
    assert (judged.low, judged.high) == pytest.approx(interval)
    statistic = mean / (spread * np.sqrt(1 / 20 + 1 / 4))
    assert judged.p == pytest.approx(2 * (1 - stats.t.cdf(statistic, 19)))
    assert str(judged).endswith(": more than chance")
    assert str(gain(present, winner)).endswith(": within chance")
    # The uncorrected test calls this more than chance.
    noisy = present + rng.normal(0.004, 0.01, 20)
    assert stats.ttest_rel(noisy, present).pvalue < 0.05 < gain(noisy, present).p
    assert not gain(present, present).positive
    assert gain(present, present).p == 1
