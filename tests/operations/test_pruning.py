"""Which of the files of earlier runs are kept."""

import os
from pathlib import Path

from operations.pruning import keep_newest


def test_the_newest_folders_are_kept_and_every_file(tmp_path: Path) -> None:
    for age, name in enumerate(("newest", "newer", "old", "oldest")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "log.txt").touch()
        os.utime(folder, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "jobs.sqlite").touch()

    keep_newest(tmp_path, 2)

    assert {path.name for path in tmp_path.iterdir()} == {"newest", "newer", "jobs.sqlite"}
    keep_newest(tmp_path, 2)
    assert len(list(tmp_path.iterdir())) == 3
