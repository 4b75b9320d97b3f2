"""Ingestion beside the script that everybody would write, and beside draining the same server.

    python benchmarks/ingestion_speed.py [ROWS] [drain] [plain] [ours]

The server (`stand_in_server.py`) answers with ready-made batches, so that the client is what is measured. The
three alternate, three rounds, each run in a process of its own. Prints a Markdown table: medians of wall and
processor time, ratios within the rounds, and the peak memory. 300,000 rows take a minute.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from ingestion import ingest
from pipeline.config.contract import load_contract
from pipeline.source.decoding import Decoder
from pipeline.source.mongo import CODEC
from pipeline.source.parameters import IngestionParameters

import pandas as pd
from pymongo import MongoClient
from stand_in_server import stand_in_server

ROUNDS = 3
Client = MongoClient[dict[str, Any]]


def drain(client: Client, _: Path) -> int:
    """Receive all batches, and do nothing with them."""
    projection = Decoder(load_contract()).projection()
    answers = client.crm.customers.find_raw_batches({}, projection, sort=[("_id", 1)], batch_size=10_000)
    return sum(1 for _ in answers)


def plain(client: Client, folder: Path) -> int:
    """Read a cursor into a data frame and write it: no type is proven, and all rows are in memory."""
    projection = Decoder(load_contract()).projection()
    customers = client.crm.customers.find({}, projection, sort=[("_id", 1)], batch_size=10_000)
    frame = pd.DataFrame(list(customers))
    frame.to_parquet(folder / "customers.parquet", compression="zstd")
    return len(frame)


def ours(client: Client, folder: Path) -> int:
    """Run the stage's read."""
    parameters = IngestionParameters(source="mongodb", database="crm", collection="customers")
    return ingest(client, parameters, load_contract(), folder / "raw", folder / "rejected.jsonl")[0]


RUNS: dict[str, Callable[[Client, Path], int]] = {"drain": drain, "plain": plain, "ours": ours}
LABELS = {"drain": "raw drain", "plain": "cursor, data frame, Parquet", "ours": "ingestion"}


def measured(name: str, uri: str) -> dict[str, float]:
    """Run one of them in a new process; return seconds and bytes."""
    words = [sys.executable, __file__, "--one", name, uri]
    result: dict[str, float] = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    return result


def one(name: str, uri: str) -> None:
    with tempfile.TemporaryDirectory() as folder, MongoClient(uri, document_class=dict) as client:
        client.get_database("crm", CODEC)
        before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        RUNS[name](client, Path(folder))
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"wall": wall, "processor": processor, "mebibytes": after.ru_maxrss / 1024}))


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
        return
    rows = int(next((word for word in sys.argv[1:] if word.isdigit()), 300_000))
    names = [name for name in RUNS if name in sys.argv] or list(RUNS)
    with stand_in_server(rows) as uri:
        rounds = [{name: measured(name, uri) for name in names} for _ in range(ROUNDS)]
    print(f"| {rows:,} documents | wall | processor | / script's processor | / drain's wall | peak |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in names:
        wall, processor = (median(each[name][kind] for each in rounds) for kind in ("wall", "processor"))
        ratios = [
            f"{median(each[name][kind] / each[other][kind] for each in rounds):.2f}" if other in names else ""
            for other, kind in (("plain", "processor"), ("drain", "wall"))
        ]
        peak = f"{max(each[name]['mebibytes'] for each in rounds):,.0f} MiB"
        print(f"| {LABELS[name]} | {wall:.1f} s | {processor:.1f} s | {ratios[0]} | {ratios[1]} | {peak} |")


if __name__ == "__main__":
    main()
