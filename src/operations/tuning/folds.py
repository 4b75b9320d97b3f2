"""Fits and scores a model on one fold of the training split, in a process of the pool."""

import hashlib
import multiprocessing
import signal
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from operations.processes import die_with_parent
from pipeline.config.contract import Contract
from pipeline.config.errors import PipelineError
from pipeline.config.packages import PACKAGES
from pipeline.data.artifacts import parts
from pipeline.data.executor import code
from pipeline.modelling.features import read_features
from pipeline.modelling.models import build
from pipeline.modelling.parameters import TrainingParameters

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

FOLDS = 5

Block = dict[str, Any]
Scores = dict[str, float]


@dataclass(frozen=True)
class Setting:
    """What all trials of a study share. `identity` is the hash of the rest, of the data and of the code."""

    train: Path
    contract: Contract
    parameters: TrainingParameters
    identity: str

    @property
    def block(self) -> Block:
        """The present parameters of the algorithm."""
        return dict(getattr(self.parameters, self.parameters.algorithm))


def setting(train: Path, contract: Contract, parameters: TrainingParameters) -> Setting:
    """Return the setting of a study.

    Raises:
        PipelineError: the training split is missing.
    """
    state = hashlib.sha256()
    for path in parts(train):
        state.update(hashlib.sha256(path.read_bytes()).digest())
    packages = [f"{name} {version(name)}" for name in (*PACKAGES, "optuna")]
    used = {"search": {parameters.algorithm: parameters.search.get(parameters.algorithm)}}
    chosen = parameters.model_copy(update=used)
    for text in (contract.model_dump_json(), chosen.model_dump_json(), code(), *packages):
        state.update(text.encode())
    return Setting(train.absolute(), contract, parameters, state.hexdigest()[:32])


# The training split of a setting, by its identity: each process reads it once.
_rows: dict[str, tuple[pd.DataFrame, pd.Series]] = {}


def rows(setting: Setting) -> tuple[pd.DataFrame, pd.Series]:
    """Return the feature columns and the target of the training split.

    Raises:
        PipelineError: it has other columns than the schema, or too few rows of a class.
    """
    if setting.identity not in _rows:
        try:
            _rows[setting.identity] = read_features(setting.train, setting.contract)
        except KeyError:
            raise PipelineError(
                f"{setting.train.name} has other columns than the schema: run 'dvc repro transformation'"
            ) from None
    features, target = _rows[setting.identity]
    rarer = min(int(target.sum()), len(target) - int(target.sum()))
    if rarer < FOLDS:
        raise PipelineError(
            f"{setting.train.name} has {rarer} rows of a class of {setting.contract.target.column}: "
            f"{FOLDS} folds need at least {FOLDS}"
        )
    return features, target


def fold_scores(setting: Setting, block: Block, repeat: int, fold: int) -> Scores | str:
    """Return the scores on a fold of the model fitted on the other folds, or why it cannot be fitted.

    Each repeat is another stratified partition of the rows; the partitions depend on `random_state` alone.
    """
    if parent := multiprocessing.parent_process():
        # Otherwise a killed command leaves processes that wait for work.
        die_with_parent(signal.SIGKILL, int(parent.pid or 0))
    features, target = rows(setting)
    parameters = setting.parameters
    model = build(
        setting.contract, parameters.algorithm, block, parameters.derived_features, parameters.random_state
    )
    partition = StratifiedKFold(FOLDS, shuffle=True, random_state=(parameters.random_state + repeat) % 2**32)
    fit, test = list(partition.split(np.zeros(len(target)), target))[fold]
    # One thread as in training: more change the last bits, and the processes fill the cores.
    with threadpool_limits(limits=1):
        try:
            model.fit(features.iloc[fit], target.iloc[fit])
            probability = model.predict_proba(features.iloc[test])[:, 1]
        except (ValueError, TypeError) as error:
            return " ".join(str(error).split())[:300]
    return {
        "roc_auc": float(roc_auc_score(target.iloc[test], probability)),
        "log_loss": float(log_loss(target.iloc[test], probability, labels=[0, 1])),
    }
