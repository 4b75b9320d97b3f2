"""Ingestion with several readers, from a server that needs time for each batch.

    python benchmarks/readers.py [ROWS] [PAUSE]

The server (`stand_in_server.py`) waits `PAUSE` seconds before each batch of 10,000 documents. The numbers of
readers alternate in three rounds, each run in a new process. The result is a Markdown table: medians of the
wall time less that of a process that imports the same and ends, and whether the parts are the same, byte for
byte. 300,000 rows take a minute and a half.
"""

import hashlib
import sys
import tempfile
from pathlib import Path

from ingestion import ingest
from pipeline.config.contract import load_contract
from pipeline.source.parameters import IngestionParameters

from measure import markdown, measured, median
from pymongo import MongoClient
from stand_in_server import stand_in_server

ROUNDS = 3
READERS = (1, 2, 4, 8)


def one(readers: int, uri: str, result: Path) -> None:
    """Run the read of the stage, and write the hash of all parts to `result`; 0 readers only import."""
    if not readers:
        return
    parameters = IngestionParameters(
        source="mongodb", database="crm", collection="customers", readers=readers
    )
    with tempfile.TemporaryDirectory() as folder, MongoClient(uri) as client:
        raw = Path(folder, "raw")
        ingest(client, parameters, load_contract(), raw, Path(folder, "rejected.jsonl"))
        parts = hashlib.sha256()
        for part in sorted(raw.iterdir()):
            parts.update(part.name.encode() + part.read_bytes())
    result.write_text(parts.hexdigest(), encoding="utf-8")


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        one(int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
        return
    given = sys.argv[1:]
    rows, pause = int(given[0]) if given else 300_000, float(given[1]) if len(given) > 1 else 0.2
    took: dict[int, list[float]] = {readers: [] for readers in READERS}
    hashes: dict[int, str] = {}
    with stand_in_server(rows, pause) as uri, tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "hash")
        for _ in range(ROUNDS):
            words = [sys.executable, __file__, "--one"]
            start = measured([*words, "0", uri, str(result)], Path()).wall
            for readers in READERS:
                found = measured([*words, str(readers), uri, str(result)], Path())
                took[readers].append(found.wall - start)
                hashes[readers] = result.read_text(encoding="utf-8")
    lines = [
        [
            readers,
            f"{median(walls):.1f} s",
            f"{median(walls) / median(took[1]):.2f}",
            "yes" if hashes[readers] == hashes[1] else "NO",
        ]
        for readers, walls in took.items()
    ]
    print(
        markdown(
            [f"readers, {rows:,} documents, {pause} s per batch", "wall", "/ one reader", "same bytes"], lines
        )
    )


if __name__ == "__main__":
    main()
