"""Time and memory of each stage as the rows grow, and the slopes of both (log-log, least squares).

    python benchmarks/scale.py [ROWS ...]

Each size has generated rows (see `generator.py`) in raw parts, and runs the stages after ingestion in a fresh
clone of the committed state. `ingestion_speed.py` measures ingestion. A slope of 1 means twice the time for
twice the rows; it is computed from 100,000 rows on, since below that the start of the processes dominates.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.config.contract import load_contract
from pipeline.config.parameters import load
from pipeline.source.parameters import IngestionParameters

import numpy as np
from measure import Measured, markdown, measured
from raw_parts import write_rising

ROOT = Path(__file__).resolve().parents[1]
SIZES = (10_000, 100_000, 1_000_000)
STAGES = ("validation", "transformation", "training", "evaluation")
FROM = 100_000


def clone_with_rows(folder: Path, rows: int) -> Path:
    """Return a fresh clone with `rows` generated customers in artifacts/raw/."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    raw, rejected = folder / "artifacts/raw", folder / "artifacts/rejected"
    raw.mkdir(parents=True)
    rejected.mkdir(parents=True)
    (rejected / "ingestion.jsonl").touch()
    contract = load_contract()
    write_rising(contract, rows, load("ingestion", IngestionParameters).rows_per_part, raw)
    # The score of generated customers is not that of the sample.
    parameters = folder / "params.yaml"
    parameters.write_text(parameters.read_text().replace("{roc_auc: 0.80}", "{}"))
    return folder


def slope(sizes: list[int], values: list[float]) -> float:
    """Return the exponent of the growth of `values` with `sizes`."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [*SIZES]
    results: dict[str, list[Measured]] = {stage: [] for stage in STAGES}
    with tempfile.TemporaryDirectory() as temporary:
        for rows in sizes:
            folder = clone_with_rows(Path(temporary) / str(rows), rows)
            for stage in STAGES:
                command = [sys.executable, f"src/{stage}.py"]
                results[stage].append(measured(command, folder, MLFLOW_TRACKING_URI="sqlite:///mlflow.db"))
    large = [place for place, rows in enumerate(sizes) if rows >= FROM]
    lines = []
    for stage, of_stage in results.items():
        cells = [f"{one.wall:.1f} s, {one.peak / 2**20:.0f} MiB" for one in of_stage]
        slopes = ["", ""]
        if len(large) > 1:
            rows = [sizes[place] for place in large]
            slopes = [
                f"{slope(rows, [value(of_stage[place]) for place in large]):.2f}"
                for value in (lambda one: one.wall, lambda one: float(one.peak))
            ]
        lines.append([stage, *cells, *slopes])
    header = ["stage", *(f"{rows:,} rows" for rows in sizes), "slope of time", "slope of memory"]
    print(markdown(header, lines))


if __name__ == "__main__":
    main()
