"""DVC's databases on a full disk."""

import subprocess
import sys
from pathlib import Path

from disk import after_mounting

# Creates a database, fills the disk, and opens the database again as DVC does.
SCRIPT = """
from contextlib import suppress
from diskcache import Cache
from operations.git_and_dvc.full_disk import end_on_full_disk
end_on_full_disk()
with Cache("database") as cache:
    cache["before"] = 1
with open("file", "wb", buffering=0) as file, suppress(OSError):
    while file.write(bytes(4096)):
        pass
with cache:
    cache["after"] = 2
"""


def test_full_disk_ends_a_transaction(tmp_path: Path) -> None:
    disk = after_mounting(f"mount -t tmpfs -o size=1m tmpfs {tmp_path} && cd {tmp_path}")

    done = subprocess.run(
        [*disk, sys.executable, "-c", SCRIPT], check=False, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "sqlite3.DatabaseError: the disk of database is full, or fails: "
    )
