"""Checks run in threads, which must not harm the process."""

import subprocess
import sys
from pathlib import Path

from project import ROOT, environment

import pyarrow as pa
import pyarrow.parquet as pq

CODE = """
import sys
from operations.readiness.asking import ask

def check():
    import pyarrow
    return "answers"

assert ask({"mlflow": check}, timeout=60) == {"mlflow": "answers"}
import pyarrow.parquet
for _ in range(3):
    assert len(pyarrow.parquet.ParquetFile(sys.argv[1]).read()) == 10_000
"""


def test_parquet_is_read_after_a_check_that_imports_pyarrow(tmp_path: Path) -> None:
    # pyarrow crashes (SIGSEGV) if a thread that has ended imported it first.
    part = tmp_path / "part.parquet"
    pq.write_table(pa.table({f"text_{n}": [f"{n}"] * 10_000 for n in range(20)}), part, compression="zstd")

    done = subprocess.run(
        [sys.executable, "-c", CODE, str(part)],
        env=environment(PYTHONPATH=str(ROOT / "src")),
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")
