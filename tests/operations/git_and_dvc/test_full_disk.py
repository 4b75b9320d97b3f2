"""DVC's databases on a full disk, which is a small one of memory."""

import subprocess
import sys
from pathlib import Path

import pytest

# Creates a database, fills the disk, and opens the database again as DVC does.
SCRIPT = """
from contextlib import suppress
from diskcache import Cache
{prepare}
with Cache("database") as cache:
    cache["before"] = 1
with open("file", "wb", buffering=0) as file, suppress(OSError):
    while file.write(bytes(4096)):
        pass
with cache:
    cache["after"] = 2
"""
PREPARE = "from operations.git_and_dvc.full_disk import end_on_full_disk as end; end()"


def test_full_disk_ends_a_transaction(tmp_path: Path) -> None:
    words = ("unshare", "--mount", "--map-root-user", "sh", "-c")
    mount = f"mount -t tmpfs -o size=1m tmpfs {tmp_path} && cd {tmp_path}"
    if subprocess.run([*words, mount], check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let a user mount a disk (unshare, tmpfs)")

    done = subprocess.run(
        [*words, f'{mount} && exec "$@"', "sh", sys.executable, "-c", SCRIPT.format(prepare=PREPARE)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "sqlite3.DatabaseError: the disk of database is full, or fails: "
    )
