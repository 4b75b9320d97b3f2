"""Keeps the files that explain a failed stage, before its worktree is removed."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from operations.pruning import keep_newest
from pipeline.config.errors import message_and_code
from pipeline.config.stores import stores_root

# The files that are kept of a failed run, by the stage that failed. Files of later stages are still those of
# the run before.
DATA_FILES = ("artifacts/rejected", "artifacts/validation.json")
KEPT_FILES = {"validation": DATA_FILES, "evaluation": (*DATA_FILES, "artifacts/evaluation")}
# The folder of the kept files, and for how many runs they are kept.
FAILED, MAX_FAILED_RUNS = "failed", 50


def keep(folder: Path, error: str) -> str:
    """Copy the files that explain a failed stage to the repository; return the error with their place.

    Paths of copied files in the error are replaced by those of the copies.
    """
    kept = [folder / path for path in KEPT_FILES.get(error.partition(":")[0], ()) if (folder / path).exists()]
    place = stores_root() / FAILED / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    try:
        for source in kept:
            original = source.relative_to(folder)
            target = place / original.relative_to("artifacts")
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copy2(source, target)
            error = error.replace(str(original), str(target))
        if kept:
            keep_newest(place.parent, MAX_FAILED_RUNS)
    except OSError as failure:
        return f"{error}; what the run found could not be kept ({message_and_code(failure)[0]})"
    return (
        f"{error}; what the run found is kept in {place}" if kept else f"{error}; it left nothing to look at"
    )
