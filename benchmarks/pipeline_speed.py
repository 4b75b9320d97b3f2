"""How long the pipeline takes, beside what it is made of; ratios hold where single seconds do not.

    python benchmarks/pipeline_speed.py [RUNS]

In a fresh clone of the committed state: the first run of all five stages, then runs with nothing to do,
in turn with DVC's own run of five stages that do nothing; then ingestion of growing collections.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from pipeline.source.embedded_mongo import running_server
from pipeline.source.sample import documents

ROOT = Path(__file__).resolve().parents[1]
STAGE = "  stage{n}:\n    cmd: echo {n} > out{n}\n    deps: [out{before}]\n    outs: [out{n}]\n"
TRIVIAL = "stages:\n" + "".join(STAGE.format(n=n, before=n - 1) for n in range(1, 6))
SIZES = (20_000, 40_000, 80_000)


def seconds(*words: str, folder: Path, **environment: str) -> float:
    start = time.perf_counter()
    subprocess.run(words, cwd=folder, env=os.environ | environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def stages(folder: Path, runs: int) -> None:
    ours, trivial = folder / "ours", folder / "trivial"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(ours)], check=True)
    trivial.mkdir()
    (trivial / "dvc.yaml").write_text(TRIVIAL)
    (trivial / "out0").write_text("0")
    subprocess.run(["git", "init", "-q"], cwd=trivial, check=True)
    subprocess.run(["dvc", "init", "-q"], cwd=trivial, check=True)
    # `make` would install the clone into this environment, if what that was made from were newer than it.
    (ours / ".venv").symlink_to(Path(sys.executable).parents[1])
    for name in ("requirements.lock", "pyproject.toml"):
        os.utime(ours / name, (0, 0))
    first, first_trivial = seconds("dvc", "repro", folder=ours), seconds("dvc", "repro", folder=trivial)
    print(f"first run of five stages: {first:.1f} s (five trivial stages: {first_trivial:.1f} s)")
    nothing, bare, made = [], [], []
    for _ in range(runs):
        nothing.append(seconds("dvc", "repro", folder=ours))
        bare.append(seconds("dvc", "repro", folder=trivial))
        made.append(seconds("make", "repro", folder=ours))
    ratios = [mine / theirs for mine, theirs in zip(nothing, bare, strict=True)]
    through_make = [mine / theirs for mine, theirs in zip(made, bare, strict=True)]
    print(
        f"nothing to do, {runs} runs in turn: {statistics.median(nothing):.2f} s, trivial stages "
        f"{statistics.median(bare):.2f} s; ratio {statistics.median(ratios):.2f} "
        f"(make repro {statistics.median(through_make):.2f})"
    )


def ingestion(folder: Path) -> None:
    source = documents(ROOT / "data/telco_customers.csv")
    with running_server(folder / "mongodb") as uri, MongoClient[dict[str, Any]](uri) as client:
        for size in SIZES:
            name = f"customers_{size}"
            copies = (source[i % len(source)] | {"_id": f"C-{i:07d}"} for i in range(size))
            client.crm[name].insert_many(list(copies))
            measure_ingestion(folder, uri, name, size)


def measure_ingestion(folder: Path, uri: str, name: str, size: int) -> None:
    checkout = folder / "ours"
    text = (ROOT / "params.yaml").read_text()
    (checkout / "params.yaml").write_text(
        text.replace("source: sample", "source: mongodb").replace(
            "collection: customers", f"collection: {name}"
        )
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.ingestion"],
        cwd=checkout,
        env=os.environ | {"MONGODB_URI": uri, "PYTHONPATH": "src"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    start, peak = time.perf_counter(), 0
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        time.sleep(0.02)
    took = time.perf_counter() - start
    own = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    print(
        f"ingestion of {size:,} documents: {took:.1f} s from the embedded server, {own:.1f} s of processor "
        f"time of its own, peak memory {peak / 2**20:.0f} MiB"
    )


def resident(pid: int) -> int:
    """Return a process's resident memory in bytes (Linux)."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with tempfile.TemporaryDirectory() as temporary:
        stages(Path(temporary), runs)
        ingestion(Path(temporary))


if __name__ == "__main__":
    main()
