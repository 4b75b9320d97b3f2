"""The size of parts: DVC's time per file, and the rows that are stored and sent again after a change.

    python benchmarks/part_size.py [ROWS]

The first table counts rows, without files, for collections of 10,000 rows and more. The second writes ROWS
customers (300,000 by default) as one folder, and runs DVC on it with moto's S3 server over HTTP.
"""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline.config.contract import Contract
from pipeline.config.parameters import load
from pipeline.data.ids import hashes

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from generator import Ids, customers
from measure import markdown
from moto.server import ThreadedMotoServer
from raw_parts import cut, write, write_rising

ROOT = Path(__file__).resolve().parents[1]
SIZES = (1_000, 2_500, 5_000, 10_000, 50_000)
ROWS = (10_000, 100_000, 1_000_000)
# The ends of a collection at which the cost of new rows is measured; it depends on where the last part began.
ENDS = 200
IDS: tuple[Ids, ...] = ("rising", "random")
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
IDS_ALONE = Contract.model_validate(
    {
        "target": {"column": "y", "positive": True},
        "columns": {"y": {"path": "y", "type": "boolean"}, "x": {"path": "x", "type": "number"}},
    }
)


def id_hashes(count: int, ids: Ids) -> np.ndarray:
    """Return the hash of each id that decides whether it starts a part, in the order of the ids."""
    return hashes(customers(IDS_ALONE, 0, count, ids)[IDS_ALONE.id], b"part")


def sent_again(of_ids: np.ndarray, rows: int, size: int, new: int, rising: bool) -> float:
    """Return the mean number of rows in the parts that `new` customers belong to."""
    starts = np.unique(np.append(0, np.flatnonzero(of_ids % size == 0)))
    if rising:
        ends = np.linspace(rows // 2, rows, ENDS).astype(int)
        return float(np.mean(ends + new - starts[np.searchsorted(starts, ends) - 1]))
    rng, lengths = np.random.default_rng(0), np.diff(starts, append=len(of_ids))
    means = []
    for _ in range(5):
        arrived = rng.choice(len(of_ids), new, replace=False)
        means.append(lengths[np.unique(np.searchsorted(starts, arrived, side="right") - 1)].sum())
    return float(np.mean(means))


def changes() -> None:
    """Print the rows of changed parts for each new row."""
    table = []
    for rows in ROWS:
        new = rows // 100
        of_ids = {ids: id_hashes(rows, ids) for ids in IDS}
        cases: list[tuple[str, Ids, int]] = [
            ("1 % more, rising ids", "rising", new),
            ("1 % more, random ids", "random", new),
            ("10 rows edited", "random", 10),
        ]
        for label, ids, count in cases:
            sent = [sent_again(of_ids[ids], rows, size, count, ids == "rising") for size in SIZES]
            table.append([f"{rows:,} rows, {label}", *(f"{one / count:,.1f}" for one in sent)])
    print(markdown(["rows sent per changed row, with rows per part", *(f"{s:,}" for s in SIZES)], table))


def dvc(folder: Path, *words: str) -> tuple[float, float]:
    """Run DVC and return its wall and its processor time in seconds."""
    start, before = time.perf_counter(), os.times()
    subprocess.run(["dvc", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL, env=os.environ | KEYS)
    after = os.times()
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return time.perf_counter() - start, spent


def repository(folder: Path, bucket: str, endpoint: str) -> Path:
    """Create a repository whose remote is an empty bucket."""
    folder.mkdir()
    boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        region_name=KEYS["AWS_DEFAULT_REGION"],
    ).create_bucket(Bucket=bucket)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    dvc(folder, "init", "-q")
    dvc(folder, "remote", "add", "-q", "-d", "s3", f"s3://{bucket}/dvc")
    dvc(folder, "remote", "modify", "-q", "s3", "endpointurl", endpoint)
    return folder


def commands(folder: Path, rows: int, endpoint: str) -> None:
    """Print the seconds of DVC's commands on a folder of parts."""
    contract = load("schema", Contract, ROOT / "params.yaml")
    table, counts, seconds = [], [], []
    for size in SIZES:
        here = repository(folder / str(size), f"parts-{size}", endpoint)
        (here / "raw").mkdir()
        write_rising(contract, rows, size, here / "raw")
        files = list((here / "raw").iterdir())
        stored = sum(path.stat().st_size for path in files)
        took = [dvc(here, "add", "-q", "raw"), dvc(here, "push", "-q"), dvc(here, "status", "-q")]
        shutil.rmtree(here / "raw")
        took.append(dvc(here, "checkout", "-q"))
        # 1 % more customers arrive.
        last = max(files)
        more = [pq.read_table(last), customers(contract, rows, rows // 100)]
        last.unlink()
        for part in cut(pa.concat_tables(more), contract, size):
            write(part, contract, here / "raw")
        took += [dvc(here, "add", "-q", "raw"), dvc(here, "push", "-q")]
        cells = [f"{wall:.1f} ({own:.1f})" for wall, own in took]
        table.append([f"{size:,}", f"{len(files):,}", f"{stored / rows:.1f}", *cells])
        counts.append(len(files))
        seconds.append(took)
        shutil.rmtree(here)
    slopes = np.polyfit(counts, np.array(seconds).reshape(len(counts), -1), 1)[0].reshape(-1, 2) * 1000
    table.append(["ms per file", "", "", *(f"{wall:.1f} ({own:.1f})" for wall, own in slopes)])
    header = ["rows per part", "files", "bytes per row", "add", "push", "status", "checkout"]
    print(f"\n{rows:,} rows, seconds of DVC, and of its processor time:\n")
    print(markdown([*header, "add, 1 % more", "push, 1 % more"], table))


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    changes()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            commands(Path(temporary), rows, f"http://{host}:{port}")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
