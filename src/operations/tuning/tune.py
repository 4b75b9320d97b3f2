"""Tunes the parameters of the algorithm in params.yaml."""

import multiprocessing
import os
import signal
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from operations.console import echo
from operations.params_file import params_text, with_values
from operations.processes import die_with_parent
from operations.retraining.exclusive import locked
from operations.tuning.folds import FOLDS, Block, read, setting
from operations.tuning.results import Folds, Gain, gain
from operations.tuning.study import BATCH, Trial, search
from operations.tuning.tracking import Log
from pipeline.config.contract import load_contract
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.config.parameters import PATH, load
from pipeline.data import executor
from pipeline.data.atomic import atomic_file
from pipeline.modelling.models import ALGORITHMS, check_derived
from pipeline.modelling.parameters import TrainingParameters

from tqdm import tqdm

# Git and DVC ignore it.
FOLDER = Path(".dvc/tmp/tuning")
# The search uses one partition of the rows into folds. The winner is compared on these other partitions,
# since on the first one the best of many trials is partly the luckiest.
REPEATS = range(1, 5)


def tune(trials: int, dry: bool) -> str:
    """Search, write the winner to params.yaml if its gain is positive, and return the result as text.

    A `dry` search does not write to params.yaml or MLflow.

    Raises:
        ConfigurationError: `training.search` has no values for the algorithm.
        BusyError: another search is running in this checkout.
        PipelineError: the training split is missing, the present parameters cannot be fitted, or params.yaml
            changed during the search.
    """
    parameters, contract = load("training", TrainingParameters), load_contract()
    algorithm = parameters.algorithm
    space = parameters.search.get(algorithm)
    if not space:
        raise ConfigurationError(
            f"{PATH}: training.search.{algorithm} is missing: name the parameters to search, for example "
            f"'{'C' if algorithm == 'logistic_regression' else 'max_features'}: {{low: 0.1, high: 1.0}}'"
        )
    study = setting(contract, parameters)
    features, _ = read(study)
    check_derived(features, contract, parameters.derived_features)
    defaults = ALGORITHMS[algorithm]().get_params()
    FOLDER.mkdir(parents=True, exist_ok=True)
    busy = "another 'pipeline tune' is running here: wait for it to end"
    with locked(FOLDER / "lock", busy), _pool() as pool:
        log = None if dry else Log(study)
        folds = Folds(study, FOLDER / f"{study.identity}.jsonl", pool)
        if folds:
            echo(f"tune: continues a search: the scores of {len(folds):,} folds are known")
        found: list[Trial] = []
        searched = search(space, study.block, defaults, parameters.random_state, folds.evaluate, trials)
        with tqdm(searched, total=trials, unit=" trials", desc="tune", disable=None) as bar:
            for trial in bar:
                if trial.score is None and trial.number == 0:
                    why = folds.failure(trial.block)
                    raise PipelineError(f"training.{algorithm} cannot be fitted: {why}")
                if log:
                    log.add(trial, folds.means(trial.block))
                found.append(trial)
                bar.set_postfix_str(f"best ROC AUC {_best(found).score:.4f}")
        best = _best(found)
        gained = _compare(folds, best, study.block) if best.number else None
        text, written = _verdict(best, gained, study.block, dry)
        content = with_winner(parameters, best.block) if written else None
        if log:
            metrics = {"cv_roc_auc": best.score or 0.0, "trials": len(found)}
            log.end(metrics | ({"gain": gained.mean, "gain_p": gained.p} if gained else {}), text[0])
    if content is not None:
        with atomic_file(PATH) as partial:
            partial.write_bytes(content.encode())
    failed = sum(trial.score is None for trial in found)
    head = f"tune: {algorithm}, {trials} trials on {len(features):,} train rows, {FOLDS} folds"
    return "\n".join([head + (f", {failed} could not be fitted" if failed else ""), *text])


def _best(found: list[Trial]) -> Trial:
    # The first of equals: the present parameters stay if nothing is better.
    return max(found, key=lambda trial: -1 if trial.score is None else trial.score)


def _compare(folds: Folds, best: Trial, present: Block) -> Gain:
    folds.compute([best.block, present], REPEATS)
    if why := folds.failure(best.block, REPEATS) or folds.failure(present, REPEATS):
        raise PipelineError(f"trial {best.number} cannot be compared on other folds: {why}")
    return gain(*(folds.scores(block, "roc_auc", REPEATS) for block in (best.block, present)))


def _verdict(best: Trial, gained: Gain | None, present: Block, dry: bool) -> tuple[list[str], bool]:
    """Return the lines of the result, and whether to write the winner."""
    if gained is None:
        return [f"kept: no trial is better than the present parameters, ROC AUC {best.score:.4f}"], False
    on = f"{len(REPEATS)} x {FOLDS} other folds"
    if not gained.positive:
        return [f"kept: the winner, trial {best.number}, gains nothing on {on}: {gained}"], False
    changes = [
        f"  {name}: {present.get(name, 'default')} -> {value}"
        for name, value in best.block.items()
        if name not in present or present[name] != value
    ]
    what = f"dry, {PATH} is unchanged" if dry else f"written to {PATH}"
    lines = [f"{what}: trial {best.number} on {on}: {gained}", *changes]
    return lines if dry else [*lines, "next: 'dvc repro' trains with them"], not dry


def with_winner(parameters: TrainingParameters, block: Block) -> str:
    """Return the text of params.yaml with the winner.

    Raises:
        PipelineError: the section `training` changed during the search.
    """
    if load("training", TrainingParameters) != parameters:
        raise PipelineError(f"{PATH} changed during the search: nothing is written; run the command again")
    return with_values(
        params_text(), {("training", parameters.algorithm, name): value for name, value in block.items()}
    )


def _pool() -> Executor:
    """Return an executor over all processors; for one, a thread, which saves the imports of a process."""
    workers = min(executor.processors(), BATCH * FOLDS)
    if workers == 1:
        return ThreadPoolExecutor(1)
    # Without it, a killed command leaves processes that wait for work.
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=die_with_parent,
        initargs=(signal.SIGKILL, os.getpid()),
    )
