"""Ingestion beside a plain script, and beside a client that only receives the batches of the same server.

    python benchmarks/ingestion_speed.py [ROWS] [drain] [plain] [ours]

The server (`stand_in_server.py`) answers with ready-made batches, so this measures the client. The three
alternate in three rounds, each run in a new process. The result is a Markdown table: medians of wall and
processor time, less those of a process that imports the same and ends; ratios within the rounds; the peak
memory of the process. 300,000 rows take a minute.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingestion import ingest
from pipeline.config.contract import load_contract
from pipeline.source.decoding import Decoder
from pipeline.source.parameters import IngestionParameters

import pandas as pd
from measure import Measured, markdown, measured, median
from pymongo import MongoClient
from stand_in_server import stand_in_server

ROUNDS = 3
Client = MongoClient[dict[str, Any]]


def drain(client: Client, _: Path) -> int:
    """Receive all batches, and return their number."""
    projection = Decoder(load_contract()).projection()
    answers = client.crm.customers.find_raw_batches({}, projection, sort=[("_id", 1)], batch_size=10_000)
    return sum(1 for _ in answers)


def plain(client: Client, folder: Path) -> int:
    """Read a cursor into a data frame and write it. No type is checked, and all rows are in memory."""
    projection = Decoder(load_contract()).projection()
    customers = client.crm.customers.find({}, projection, sort=[("_id", 1)], batch_size=10_000)
    frame = pd.DataFrame(list(customers))
    frame.to_parquet(folder / "customers.parquet", compression="zstd")
    return len(frame)


def ours(client: Client, folder: Path) -> int:
    """Run the read of the stage, and return the number of accepted rows."""
    parameters = IngestionParameters(source="mongodb", database="crm", collection="customers")
    return ingest(client, parameters, load_contract(), folder / "raw", folder / "rejected.jsonl")[0]


RUNS: dict[str, Callable[[Client, Path], int]] = {"drain": drain, "plain": plain, "ours": ours}
LABELS = {"drain": "raw drain", "plain": "cursor, data frame, Parquet", "ours": "ingestion"}


def one(name: str, uri: str) -> None:
    with tempfile.TemporaryDirectory() as folder, MongoClient(uri) as client:
        if name in RUNS:
            RUNS[name](client, Path(folder))


def measured_round(names: list[str], uri: str) -> dict[str, Measured]:
    """Return what each run took: times without the start of the process, memory with it."""
    found = {
        name: measured([sys.executable, __file__, "--one", name, uri], Path()) for name in ["start", *names]
    }
    start = found.pop("start")
    return {
        name: Measured(took.wall - start.wall, took.processor - start.processor, took.peak)
        for name, took in found.items()
    }


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
        return
    rows = int(next((word for word in sys.argv[1:] if word.isdigit()), 300_000))
    names = [name for name in RUNS if name in sys.argv] or list(RUNS)
    with stand_in_server(rows) as uri:
        rounds = [measured_round(names, uri) for _ in range(ROUNDS)]
    lines = []
    for name in names:
        took = [each[name] for each in rounds]
        line = [LABELS[name], f"{median(run.wall for run in took):.1f} s"]
        line += [f"{median(run.processor for run in took):.1f} s"]
        ratios = [each[name].processor / each["plain"].processor for each in rounds if "plain" in names]
        line += [f"{median(ratios):.2f}" if ratios else ""]
        ratios = [each[name].wall / each["drain"].wall for each in rounds if "drain" in names]
        line += [f"{median(ratios):.2f}" if ratios else ""]
        lines.append([*line, f"{max(run.peak for run in took) / 2**20:,.0f} MiB"])
    header = [
        f"{rows:,} documents",
        "wall",
        "processor",
        "/ script's processor",
        "/ drain's wall",
        "peak memory",
    ]
    print(markdown(header, lines))


if __name__ == "__main__":
    main()
