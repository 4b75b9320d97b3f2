"""Fits a model on the training split without one fold and scores it on the fold, in a worker process."""

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.config.contract import Contract
from pipeline.config.errors import PipelineError
from pipeline.config.packages import packages_of
from pipeline.data.artifacts import TRAIN, parts
from pipeline.data.executor import code
from pipeline.modelling.features import read_features
from pipeline.modelling.models import build
from pipeline.modelling.parameters import TrainingParameters

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

FOLDS = 5

Block = dict[str, Any]
Scores = dict[str, float]


@dataclass(frozen=True)
class Setting:
    """The inputs of all trials of a study; `identity` is the hash of them, of the data and of the code."""

    train: Path
    contract: Contract
    parameters: TrainingParameters
    identity: str

    @property
    def block(self) -> Block:
        """The present parameters of the algorithm."""
        return dict(getattr(self.parameters, self.parameters.algorithm))


def setting(contract: Contract, parameters: TrainingParameters) -> Setting:
    """Return the setting of a study.

    Raises:
        PipelineError: the training split is missing.
    """
    state = hashlib.sha256()
    for path in parts(TRAIN):
        state.update(hashlib.sha256(path.read_bytes()).digest())
    packages = [f"{name} {version(name)}" for name in (*packages_of(parameters.algorithm), "optuna")]
    used = {"search": {parameters.algorithm: parameters.search.get(parameters.algorithm)}}
    chosen = parameters.model_copy(update=used)
    for text in (contract.model_dump_json(), chosen.model_dump_json(), code(), *packages):
        state.update(text.encode())
    return Setting(TRAIN.absolute(), contract, parameters, state.hexdigest()[:32])


def read(setting: Setting) -> tuple[pd.DataFrame, pd.Series]:
    """Return the feature columns and the target of the training split.

    Raises:
        PipelineError: the split has other columns than the schema, or too few rows of a class.
    """
    try:
        features, target = read_features(setting.train, setting.contract)
    except KeyError:
        raise PipelineError(f"{TRAIN} has other columns than the schema: run 'dvc repro'") from None
    rarer = min(int(target.sum()), len(target) - int(target.sum()))
    if rarer < FOLDS:
        raise PipelineError(
            f"{TRAIN} has {rarer} rows of a class of {setting.contract.target.column}: {FOLDS} folds need at "
            f"least {FOLDS}"
        )
    return features, target


# The training split by the setting's identity: each process reads it once.
_prepared: dict[str, tuple[pd.DataFrame, pd.Series]] = {}


def _rows(setting: Setting) -> tuple[pd.DataFrame, pd.Series]:
    """Return the training split after the model's first steps, which transform each row separately."""
    if setting.identity not in _prepared:
        features, target = read(setting)
        _prepared[setting.identity] = _steps(setting, setting.block)[0].fit_transform(features), target
    return _prepared[setting.identity]


def _steps(setting: Setting, block: Block) -> tuple[Pipeline, Pipeline]:
    """Return the model in two parts: conversions and derived features, then the steps that fit on rows."""
    chosen = setting.parameters
    model = build(setting.contract, chosen.algorithm, block, chosen.derived_features, chosen.random_state)
    first = [*model.named_steps].index("prepare")
    return model[:first], model[first:]


def fold_scores(setting: Setting, block: Block, repeat: int, fold: int) -> Scores | str:
    """Return the scores on a fold of the model fitted on the other folds, or the error of the fit.

    Each repeat is another stratified partition of the rows; the partitions depend on `random_state` alone.
    """
    features, target = _rows(setting)
    model = _steps(setting, block)[1]
    seed = (setting.parameters.random_state + repeat) % 2**32
    partition = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    fit, test = list(partition.split(np.zeros(len(target)), target))[fold]
    # One thread, as in training: more change the last bits, and the processes already use all cores.
    with threadpool_limits(limits=1):
        try:
            model.fit(features.iloc[fit], target.iloc[fit])
            probability = model.predict_proba(features.iloc[test])[:, 1]
            return {
                "roc_auc": float(roc_auc_score(target.iloc[test], probability)),
                "log_loss": float(log_loss(target.iloc[test], probability, labels=[0, 1])),
            }
        except (MemoryError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - see training.train
            return " ".join(str(error).split())[:300]
