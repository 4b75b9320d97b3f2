"""Time and memory of evaluation and of the comparison with the champion on many holdout rows.

    python benchmarks/holdout.py [ROWS ...]

Two models are fitted on 100,000 generated customers (see `generator.py`): one with the shipped parameters,
and a champion with half as many trees. Each size is measured in a new process.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from evaluation import evaluate
from operations.versions.comparison import compare
from pipeline.config.contract import load_contract
from pipeline.config.parameters import load
from pipeline.modelling.features import read_features, read_split
from pipeline.modelling.matrix import probabilities
from pipeline.modelling.parameters import EvaluationParameters, TrainingParameters
from training import train

from boosters import peak, write
from measure import markdown
from threadpoolctl import threadpool_limits

ROWS, TRAIN = (10_000, 100_000, 1_000_000), 100_000
STEPS = (
    "predictions of one model, one thread",
    "evaluation: predictions, scores, plots",
    "comparison with the champion",
)


def seconds(action: Callable[[], Any]) -> float:
    """Return how long an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def measure(folder: Path, rows: int) -> dict[str, Any]:
    """Return the seconds of each step on `rows` holdout rows, and the peak memory in bytes."""
    contract, shipped = load_contract(), load("training", TrainingParameters)
    parameters = load("evaluation", EvaluationParameters)
    write(folder / "train", contract, 0, TRAIN)
    write(folder / "test", contract, TRAIN, rows)
    known = read_features(folder / "train", contract)
    fewer = shipped.hist_gradient_boosting | {"max_iter": shipped.hist_gradient_boosting["max_iter"] // 2}
    changed = shipped.model_copy(update={"hist_gradient_boosting": fewer})
    model, champion = (train(*known, each, contract) for each in (shipped, changed))
    frame = read_split(folder / "test")
    with threadpool_limits(limits=1):
        took = [seconds(lambda: probabilities(model, frame[list(contract.features)]))]
    took.append(seconds(lambda: evaluate(model, frame, contract, parameters)))
    took.append(seconds(lambda: compare(model, champion, 1, frame, contract, tuple(parameters.slice_by))))
    return {"took": took, "peak": peak()}


def main(sizes: list[int]) -> None:
    found = []
    for rows in sizes:
        with TemporaryDirectory() as folder:
            words = [sys.executable, __file__, "--one", folder, str(rows)]
            done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
    lines = [[name, *(f"{each['took'][place]:.1f} s" for each in found)] for place, name in enumerate(STEPS)]
    lines.append(["peak memory of the process", *(f"{each['peak'] / 2**20:,.0f} MiB" for each in found)])
    print(markdown(["", *(f"{rows:,} holdout rows" for rows in sizes)], lines))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        main([int(word) for word in sys.argv[1:]] or [*ROWS])
