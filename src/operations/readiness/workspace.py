"""Checks this checkout for a retrain: packages, Git's identity, DVC's settings, disk space."""

import shutil

from operations.git_and_dvc.git import branch, check_identity
from operations.git_and_dvc.remote_settings import check_remotes
from operations.git_and_dvc.worktrees import PLACE, shared_cache
from operations.readiness.dvc_remote import check_writable
from pipeline.config.errors import PipelineError
from pipeline.config.packages import EXTRA_REQUIREMENTS, REQUIREMENTS, check_packages
from pipeline.tracking.lineage import LOCK

from ruamel.yaml import YAML


def identity() -> str:
    """Check that Git has an identity, and return the branch that a retrain would publish on."""
    check_identity()
    return f"commits on {branch()}"


def packages() -> str:
    """Compare the packages that make and read models with their locks."""
    check_packages()
    return f"those of {REQUIREMENTS} and, if installed, {EXTRA_REQUIREMENTS}"


def dvc() -> str:
    """Check that the remotes can store versions, and that there is disk space for a run.

    Both are one check, since only one thread at a time may use `plain_dvc_errors`.
    """
    check_remotes()
    return f"the remotes can keep versions; {room()}"


def room() -> str:
    """Return the free space for the artifacts of another run, in the cache and in the worktree.

    Raises:
        PipelineError: there is not enough.
        ConfigurationError: a folder cannot be written.
    """
    need = artifacts_bytes()
    wanted: dict[int, int] = {}
    notes = []
    for name, place in {"DVC cache": shared_cache(), "workspace": PLACE.resolve()}.items():
        there = check_writable(name, place)
        device = there.stat().st_dev
        wanted[device] = wanted.get(device, 0) + need
        free = shutil.disk_usage(there).free
        if free < wanted[device]:
            raise PipelineError(
                f"no room: {size(free)} free for the {name} {place}, and a retrain needs "
                f"{size(wanted[device])}: 'pipeline gc' deletes what no version needs"
            )
        notes.append(f"{size(free)} free for the {name}")
    return f"{', '.join(notes)}; the artifacts are {size(need)}"


def artifacts_bytes() -> int:
    """Return the size of all outputs in dvc.lock; 0 without a lock."""
    if not LOCK.exists():
        return 0
    stages = YAML(typ="safe").load(LOCK)["stages"].values()
    return sum(int(out.get("size", 0)) for stage in stages for out in stage.get("outs", []))


def size(count: int) -> str:
    """Return a number of bytes for a message."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
