"""The time of the pipeline beside that of DVC alone; ratios are more stable than seconds.

    python benchmarks/pipeline_speed.py [RUNS]

In fresh clones of the committed state, alternating with DVC runs of five trivial stages: the first run of
all five stages, runs with nothing to do, publications, and retrains without new data; then ingestion of
growing collections.
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

from pipeline.source.embedded_mongo import running_server
from pipeline.source.sample import documents

from pymongo import MongoClient

ROOT = Path(__file__).resolve().parents[1]
STAGE = "  stage{n}:\n    cmd: echo {n} > out{n}\n    deps: [out{before}]\n    outs: [out{n}]\n"
TRIVIAL = "stages:\n" + "".join(STAGE.format(n=n, before=n - 1) for n in range(1, 6))
FIRST_RUNS = 3
SIZES = (20_000, 40_000, 80_000)


def seconds(*words: str, folder: Path, **environment: str) -> float:
    start = time.perf_counter()
    subprocess.run(words, cwd=folder, env=os.environ | environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def fresh_clone(folder: Path) -> Path:
    """Clone the committed state, to run in the current environment."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    # `make` would install the clone into this environment if the clone's files were newer.
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    for name in ("requirements.lock", "pyproject.toml"):
        os.utime(folder / name, (0, 0))
    return folder


def trivial_pipeline(folder: Path) -> Path:
    """Create a pipeline of five stages that do nothing."""
    folder.mkdir()
    (folder / "dvc.yaml").write_text(TRIVIAL)
    (folder / "out0").write_text("0")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["dvc", "init", "-q"], cwd=folder, check=True)
    return folder


def first_runs(folder: Path) -> None:
    """Run all stages in one fresh clone after another."""
    took, bare = [], []
    for number in range(FIRST_RUNS):
        took.append(seconds("make", "repro", folder=fresh_clone(folder / f"first{number}")))
        bare.append(seconds("dvc", "repro", folder=trivial_pipeline(folder / f"bare{number}")))
    print(
        f"first run of five stages, {FIRST_RUNS} fresh clones: {statistics.median(took):.1f} s "
        f"({min(took):.1f} to {max(took):.1f}); five trivial stages: {statistics.median(bare):.2f} s"
    )


def nothing_to_do(folder: Path, runs: int) -> None:
    """Run where all stages have run, alternating with the trivial pipeline."""
    ours, trivial = folder / "first0", folder / "bare0"
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


def operations(folder: Path) -> None:
    """Publish each fresh clone, and retrain it without new data, beside the five trivial stages."""
    for number in range(FIRST_RUNS):
        # Without a Git remote, versions are local: no network is measured.
        subprocess.run(["git", "remote", "remove", "origin"], cwd=folder / f"first{number}", check=True)
    for command, what in {"publish": "pipeline publish", "retrain": "unchanged pipeline retrain"}.items():
        took, ratios = [], []
        for number in range(FIRST_RUNS):
            bare = seconds("dvc", "repro", folder=trivial_pipeline(folder / f"{command}{number}"))
            took.append(seconds("pipeline", command, folder=folder / f"first{number}"))
            ratios.append(took[-1] / bare)
        print(
            f"{what}, {FIRST_RUNS} clones: {statistics.median(took):.1f} s; ratio to five trivial stages "
            f"{statistics.median(ratios):.1f}"
        )


def ingestion(folder: Path) -> None:
    """Ingest growing collections."""
    source = documents(ROOT / "data/telco_customers.csv")
    with running_server(folder / "mongodb") as uri, MongoClient[dict[str, Any]](uri) as client:
        for size in SIZES:
            name = f"customers_{size}"
            copies = (source[i % len(source)] | {"_id": f"C-{i:07d}"} for i in range(size))
            client.crm[name].insert_many(list(copies))
            measure_ingestion(folder, uri, name, size)


def measure_ingestion(folder: Path, uri: str, name: str, size: int) -> None:
    checkout = folder / "first0"
    text = (ROOT / "params.yaml").read_text()
    (checkout / "params.yaml").write_text(
        text.replace("source: sample", "source: mongodb").replace(
            "collection: customers", f"collection: {name}"
        )
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    process = subprocess.Popen(
        [sys.executable, "src/ingestion.py"],
        cwd=checkout,
        env=os.environ | {"MONGODB_URI": uri},
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
        first_runs(Path(temporary))
        nothing_to_do(Path(temporary), runs)
        operations(Path(temporary))
        ingestion(Path(temporary))


if __name__ == "__main__":
    main()
