"""Validation and transformation beside pyarrow, which reads and writes the same parts.

    python benchmarks/stages.py [ROWS]

Each runs in a new process, and they alternate. The parts have `ingestion.rows_per_part` rows on average.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from pipeline.config.contract import Contract
from pipeline.config.parameters import load
from pipeline.source.parameters import IngestionParameters

from measure import Measured, markdown, measured, median
from raw_parts import write_rising

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 3
COPY = """
import sys
from pathlib import Path
import pyarrow.parquet as pq
to = Path("artifacts/copied")
to.mkdir(exist_ok=True)
for path in sorted(Path("artifacts", sys.argv[1]).glob("*.parquet")):
    pq.write_table(pq.read_table(path), to / path.name, compression="zstd")
"""
COMMANDS = {
    "pyarrow reads and writes raw": ["-c", COPY, "raw"],
    "validation": [str(ROOT / "src/validation.py")],
    "pyarrow reads and writes validated": ["-c", COPY, "validated"],
    "transformation": [str(ROOT / "src/transformation.py")],
}


def prepare(folder: Path, rows: int) -> int:
    """Write the input of validation, and return the number of parts."""
    shutil.copy(ROOT / "params.yaml", folder)
    parameters = load("ingestion", IngestionParameters, folder / "params.yaml")
    contract = load("schema", Contract, folder / "params.yaml")
    raw = folder / "artifacts/raw"
    raw.mkdir(parents=True)
    (folder / "artifacts/rejected").mkdir()
    (folder / "artifacts/rejected/ingestion.jsonl").touch()
    write_rising(contract, rows, parameters.rows_per_part, raw)
    return len(list(raw.iterdir()))


def ratio(of: list[Measured], to: list[Measured], name: str) -> str:
    """Return the median of the ratios of each round."""
    return f"{median(getattr(a, name) / getattr(b, name) for a, b in zip(of, to, strict=True)):.2f}"


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    results: dict[str, list[Measured]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as temporary:
        parts = prepare(Path(temporary), rows)
        for _ in range(ROUNDS):
            for name, words in COMMANDS.items():
                command = [sys.executable, *words]
                results[name].append(measured(command, Path(temporary), PYTHONPATH=str(ROOT / "src")))
    table, base = [], results["pyarrow reads and writes raw"]
    for name, runs in results.items():
        # A stage follows what it is compared with.
        base = runs if name.startswith("pyarrow") else base
        table.append(
            [
                name,
                f"{median(run.wall for run in runs):.2f} s",
                f"{median(run.processor for run in runs):.2f} s",
                ratio(runs, base, "wall"),
                ratio(runs, base, "processor"),
                f"{median(run.peak for run in runs) / 2**20:.0f} MiB",
            ]
        )
    print(f"{rows:,} rows of 21 columns in {parts:,} parts, {ROUNDS} rounds, {os.cpu_count()} processors:\n")
    print(markdown(["", "wall", "processor", "ratio, wall", "ratio, processor", "peak memory"], table))


if __name__ == "__main__":
    main()
