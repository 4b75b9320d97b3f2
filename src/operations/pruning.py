"""Limits how many folders of old runs are kept, so that they do not fill the disk."""

import shutil
from pathlib import Path


def keep_newest(parent: Path, count: int) -> None:
    """Remove all but the `count` newest folders in a folder; its files stay."""
    folders = [entry for entry in parent.iterdir() if entry.is_dir()]
    for old in sorted(folders, key=lambda folder: folder.stat().st_mtime)[:-count]:
        shutil.rmtree(old, ignore_errors=True)
