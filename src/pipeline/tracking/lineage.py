"""What made this model: the commit, and the hashes that dvc.lock holds of its data."""

import hashlib
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from pipeline.data.artifacts import METRICS, MODEL, RAW, TRAIN

from ruamel.yaml import YAML

LOCK = Path("dvc.lock")


def lineage_tags() -> dict[str, str]:
    """Return the tags of a run: `git.commit`, `git.dirty`, and the md5 of dvc.lock, data, model and metrics.

    The hashes are those of dvc.lock as it stands while evaluation runs: DVC has recorded every stage before
    it by then. That of the metrics is of what evaluation has just written. What is not known, outside Git or
    before the first `dvc repro`, has no tag. A tree is dirty when anything but dvc.lock differs from the
    commit, since DVC rewrites that file as it goes.
    """
    tags: dict[str, str] = {}
    if commit := _git("rev-parse", "HEAD"):
        changed = _git("status", "--porcelain", "--", ".", f":(exclude){LOCK}")
        tags |= {"git.commit": commit, "git.dirty": str(bool(changed)).lower()}
        # MLflow adds the URL of the remote by itself, with the token that may be in it.
        tags["mlflow.source.git.repoURL"] = without_credentials(_git("remote", "get-url", "origin"))
    tags |= locked_tags()
    if METRICS.exists():
        tags["metrics.md5"] = _md5(METRICS)
    return tags


def locked_tags() -> dict[str, str]:
    """Return the md5 of dvc.lock as it stands, and those of data, model and metrics that it names."""
    if not LOCK.exists():
        return {}
    tags = {"dvc.lock.md5": _md5(LOCK)}
    outputs = locked_outputs(YAML(typ="safe", pure=True).load(LOCK))
    wanted = {"data.raw.md5": RAW, "data.train.md5": TRAIN, "model.md5": MODEL.parent, "metrics.md5": METRICS}
    return tags | {tag: outputs[str(path)] for tag, path in wanted.items() if str(path) in outputs}


def locked_outputs(lock: dict[str, Any]) -> dict[str, str]:
    """Return the md5 of each output that a lock names, by its path."""
    return {
        output["path"]: output["md5"] for stage in lock["stages"].values() for output in stage.get("outs", [])
    }


def without_credentials(uri: str) -> str:
    """Return a URI without its user, password, query and fragment: what may stand in a message or a tag."""
    # A password may hold a slash or a question mark, and the slashes may be forgotten: what comes before the
    # last @ goes first. A user alone, as in git@host:path, is none of it.
    scheme, slashes, rest = uri.partition("://")
    if slashes:
        bare = f"{scheme}://{rest.rpartition('@')[2]}"
    else:
        bare = uri.rpartition("@")[2] if ":" in uri.rpartition("@")[0] else uri
    return re.split("[?#]", bare, maxsplit=1)[0]


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _git(*words: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False, env=environment)
    return done.stdout.strip() if done.returncode == 0 else ""
