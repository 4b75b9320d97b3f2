"""LightGBM: the same bytes on any number of threads, parameters, nulls, and an installation without it."""

import hashlib
import io
from pathlib import Path
from typing import Any

from pipeline.config.errors import ConfigurationError
from pipeline.config.parameters import load
from pipeline.modelling import parameters
from pipeline.modelling.boosters import CONSTRAINTS, lightgbm
from pipeline.modelling.matrix import fit
from pipeline.modelling.models import build, threads
from pipeline.modelling.parameters import TrainingParameters
from stages import target_and

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

CONTRACT = target_and(
    number={"type": "number", "nullable": True},
    other={"type": "number"},
    kind={"type": "category", "values": ["a", "b", "c", "d", "e", "f"]},
)


def rows(count: int) -> tuple[pd.DataFrame, pd.Series]:
    """Return rows whose values have many digits, so that the order of a sum changes its last bits."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"number": random.normal(size=count), "other": random.lognormal(3, 3, count)})
    frame.loc[::10, "number"] = np.nan
    frame["kind"] = random.choice(list("abcdef"), count)
    score = frame["number"].fillna(2) + (frame["kind"] == "a") * 2 + random.logistic(size=count)
    return frame, (score > 0.5).astype("int8")


def fitted(count: int, calibration: str = "none", **parameters: Any) -> Pipeline:
    model = build(CONTRACT, "lightgbm", {"n_estimators": 20} | parameters, {}, 0, calibration)
    return fit(model, *rows(count))


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_threads() -> None:
    pytest.importorskip("lightgbm")
    found = set()

    for limit in (1, 2, 3):
        with threadpool_limits(limits=limit), io.BytesIO() as file:
            joblib.dump(fitted(20_000, subsample=0.5, subsample_freq=1, colsample_bytree=0.7), file)
            found.add(hashlib.sha256(file.getvalue()).hexdigest())

    assert len(found) == 1
    assert [threads("lightgbm", 1_000_000), threads("lightgbm", 1_000)] == [None, 1]
    assert threads("hist_gradient_boosting", 1_000_000) == 1


def test_an_unseen_category_is_no_other_category() -> None:
    """LightGBM reads a missing code of an ordinal column as the first code."""
    pytest.importorskip("lightgbm")
    model, some = fitted(2_000), rows(200)[0]

    found = {kind: model.predict_proba(some.assign(kind=kind))[:, 1] for kind in ("a", "b", "new", None)}

    assert (found["new"] == found[None]).all()
    assert found["a"].mean() > found["new"].mean() + 0.2
    assert abs(found["b"].mean() - found["new"].mean()) < 0.1


def test_parameters_are_those_of_lightgbm() -> None:
    package = pytest.importorskip("lightgbm")
    known = set(package.LGBMClassifier().get_params()) | {"max_bin"}

    assert set(CONSTRAINTS) < known
    # The smallest values are accepted.
    least = {"num_leaves": 2, "max_bin": 2, "min_child_samples": 1, "subsample_freq": 0, "max_depth": -1}
    fitted(300, **least, boosting_type="dart", reg_alpha=0, min_child_weight=0, class_weight="balanced")
    assert lightgbm().get_params()["n_jobs"] == 0


def test_a_missing_package_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameters, "find_spec", lambda _: None)
    path = tmp_path / "params.yaml"
    path.write_text("training: {algorithm: lightgbm, lightgbm: {num_leaves: 4}}\n")

    with pytest.raises(ConfigurationError) as raised:
        load("training", TrainingParameters, path)

    assert raised.value.exit_code == 2
    advice = "lightgbm is not installed: run 'make setup EXTRAS=boosters'"
    assert str(raised.value) == f"{path}: training.algorithm: {advice}"
    # The block of an algorithm that is not used needs no package.
    path.write_text("training: {algorithm: random_forest, lightgbm: {num_leaves: 4}}\n")
    assert load("training", TrainingParameters, path).lightgbm == {"num_leaves": 4}
