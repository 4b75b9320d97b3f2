"""The place of local stores outside Git and DVC: one for all worktrees of a repository."""

import os
import subprocess
from pathlib import Path


def stores_root(workspace: Path | None = None) -> Path:
    """Return the main checkout of the repository that `workspace` (default: here) belongs to.

    The embedded MongoDB server and the default MLflow store are there, so that a throw-away worktree, or the
    temporary folder of `dvc exp run --temp`, uses the stores of its repository. Outside Git, it is the
    workspace itself.
    """
    workspace = (workspace or Path.cwd()).resolve()
    for parent in workspace.parents:
        # DVC's temporary folder holds the clones of queued experiments and the worktrees of retrains.
        if parent.name == ".dvc" and workspace.is_relative_to(parent / "tmp"):
            return stores_root(parent.parent)
    try:
        output = subprocess.run(
            ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"],
            cwd=workspace,
            capture_output=True,
            text=True,
            check=True,
            env={key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return workspace
    common = Path(output)
    return common.parent if common.name == ".git" else workspace
