"""Gradient boosting of three libraries on the same generated rows: time, memory, ROC AUC, and bytes.

`python benchmarks/boosters.py [ROWS ...]` fits each with the same number and size of trees, on one and on two
threads, each in a new process. All get the same matrix, which is made as in the stage training.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.config.contract import Contract, load_contract
from pipeline.data.features import features
from pipeline.data.parts import write_part
from pipeline.modelling.features import read_features
from pipeline.modelling.matrix import fit, matrix
from pipeline.modelling.models import build

import joblib
from generator import customers
from measure import markdown
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

ROWS, HOLDOUT, PART = (100_000, 1_000_000), 100_000, 50_000
TREES: dict[str, dict[str, Any]] = {
    "hist_gradient_boosting": {"max_iter": 100, "max_leaf_nodes": 31, "early_stopping": False},
    "lightgbm": {"n_estimators": 100, "num_leaves": 31},
    "xgboost": {
        "n_estimators": 100,
        "max_leaves": 31,
        "max_depth": 0,
        "grow_policy": "lossguide",
        "learning_rate": 0.1,
        "tree_method": "hist",
    },
}


def write(folder: Path, contract: Contract, start: int, count: int) -> None:
    folder.mkdir()
    for first in range(start, start + count, PART):
        rows = customers(contract, first, min(PART, start + count - first))
        write_part(features(rows, contract), folder / f"{first:012}.parquet")


def measure(folder: Path, algorithm: str, threads: int) -> dict[str, Any]:
    """Fit in this process, and return what it took."""
    contract = load_contract()
    known = "hist_gradient_boosting" if algorithm == "xgboost" else algorithm
    model = build(contract, known, TREES[known], {}, 0)
    if algorithm == "xgboost":
        from xgboost import XGBClassifier

        # The steps before the classifier, without its fit.
        model.steps[-1] = ("classify", XGBClassifier(n_jobs=threads, random_state=0, **TREES["xgboost"]))
    imported = peak()
    rows, target = read_features(folder / "train", contract)
    width, start = rows.shape[1], (time.perf_counter(), time.process_time())
    with threadpool_limits(limits=threads):
        fit(model, rows, target)
    wall, processor = time.perf_counter() - start[0], time.process_time() - start[1]
    used = peak() - imported
    size = len(rows) * width * 8
    rows, target = read_features(folder / "test", contract)
    probability = model["classify"].predict_proba(matrix(model, rows))[:, 1]
    with BytesIO() as file:
        joblib.dump(model, file)
        digest = hashlib.sha256(file.getvalue()).hexdigest()
    return {
        "wall": wall,
        "processor": processor,
        "peak": used,
        "matrix": size,
        "auc": roc_auc_score(target, probability),
        "digest": digest,
    }


def peak() -> int:
    """Return the peak resident memory of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main(sizes: list[int]) -> None:
    contract, lines = load_contract(), []
    for size in sizes:
        with TemporaryDirectory() as folder:
            write(Path(folder, "train"), contract, 0, size)
            write(Path(folder, "test"), contract, size, HOLDOUT)
            digests: dict[str, set[str]] = {}
            for algorithm in TREES:
                for threads in (1, 2):
                    words = [sys.executable, __file__, "--one", folder, algorithm, str(threads)]
                    done = subprocess.run(
                        words,
                        # Waiting threads do not spin, which would count as processor time.
                        env=os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"},
                        capture_output=True,
                        text=True,
                        check=True,
                    )
                    found = json.loads(done.stdout.splitlines()[-1])
                    digests.setdefault(algorithm, set()).add(found["digest"])
                    lines.append(
                        (
                            f"{size:,} rows, {algorithm}",
                            threads,
                            f"{found['wall']:.1f} s",
                            f"{found['processor']:.1f} s",
                            f"{found['peak'] / 2**20:,.0f} MiB",
                            f"{found['peak'] / found['matrix']:.1f}",
                            f"{found['auc']:.4f}",
                            "same" if len(digests[algorithm]) == 1 else "differ",
                        )
                    )
                    print(*lines[-1], sep=" | ", flush=True)
    header = ("fit", "threads", "time", "processor", "peak memory", "of the matrix", "ROC AUC", "bytes")
    print(markdown(header, lines))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))))
    else:
        main([int(word) for word in sys.argv[1:]] or [*ROWS])
