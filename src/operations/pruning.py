"""How much is kept of what runs leave behind: what nobody prunes fills the disk in the end."""

import shutil
from pathlib import Path


def keep_newest(parent: Path, count: int) -> None:
    """Remove all but the `count` newest folders of `place`; its files stay."""
    folders = [entry for entry in parent.iterdir() if entry.is_dir()]
    for old in sorted(folders, key=lambda folder: folder.stat().st_mtime)[:-count]:
        shutil.rmtree(old, ignore_errors=True)
