"""The search: Optuna's TPE sampler proposes parameters, cross-validation scores them."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from operations.tuning.folds import Block
from pipeline.modelling.search import Values

import optuna

# Trials that run at the same time. The parameters of a trial depend on the results before its batch, so this
# is a constant: with the number of cores, the same seed would give other parameters on another machine.
BATCH = 4


@dataclass(frozen=True)
class Trial:
    """A set of parameters and its mean ROC AUC over the folds; None if it cannot be fitted."""

    number: int
    block: Block
    score: float | None


def search(
    space: dict[str, Values],
    present: Block,
    defaults: Block,
    seed: int,
    evaluate: Callable[[list[Block]], Sequence[float | None]],
    trials: int,
) -> Iterator[Trial]:
    """Yield `trials` trials. Trial 0 has the present parameters, trial 1 the algorithm's defaults.

    The same seed and scores give the same trials, and fewer trials are a prefix of more. So a search that is
    repeated with known scores continues. The method is TPE with constant liar for trials that run at the same
    time (Bergstra et al., 2011; Watanabe, 2023).
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = {name: _distribution(values) for name, values in space.items()}
    score = evaluate([present])[0]
    yield Trial(0, present, score)
    effective = {name: present.get(name, defaults[name]) for name in space}
    if score is not None and all(
        values.nearest(effective[name]) == effective[name] for name, values in space.items()
    ):
        study.add_trial(optuna.trial.create_trial(params=effective, distributions=distributions, value=score))
    study.enqueue_trial({name: values.nearest(defaults[name]) for name, values in space.items()})
    for first in range(1, trials, BATCH):
        asked = [study.ask(distributions) for _ in range(first, min(first + BATCH, trials))]
        blocks = [present | {name: _short(trial.params[name]) for name in space} for trial in asked]
        for number, (trial, block, found) in enumerate(
            zip(asked, blocks, evaluate(blocks), strict=True), first
        ):
            state = optuna.trial.TrialState.FAIL if found is None else None
            study.tell(trial, found, state=state)
            yield Trial(number, block, found)


def _distribution(values: Values) -> Any:
    if values.choices is not None:
        return optuna.distributions.CategoricalDistribution(values.choices)
    low, high = values.extremes()
    kind = optuna.distributions
    return (kind.IntDistribution if isinstance(low, int) else kind.FloatDistribution)(
        low, high, log=values.log
    )


def _short(value: Any) -> Any:
    """Return a real number with four significant digits, for the file."""
    return float(f"{value:.4g}") if isinstance(value, float) else value
