"""The lineage of a model: its commit, and the hashes of its data in dvc.lock."""

import hashlib
import os
import re
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Any

from pipeline.data.artifacts import METRICS, MODEL, RAW, SLICES, TRAIN

from ruamel.yaml import YAML

LOCK = Path("dvc.lock")
# The tags with the hashes of the files of scores. One model may have runs of other scores.
SCORES = {"metrics.md5": METRICS, "slices.md5": SLICES}


def lineage_tags() -> dict[str, str]:
    """Return the tags of a run: `git.commit`, `git.dirty`, and the md5 of dvc.lock, data, model and scores.

    The hashes are those of dvc.lock while evaluation runs, when DVC has recorded all stages before it. The
    hashes of the scores are those of the files that evaluation has just written. Unknown values, outside Git
    or before the first `dvc repro`, have no tag. A tree is dirty if a file other than dvc.lock, which DVC
    rewrites during a run, differs from the commit.
    """
    tags: dict[str, str] = {}
    if commit := _git("rev-parse", "HEAD"):
        changed = _git("status", "--porcelain", "--", ".", f":(exclude){LOCK}")
        tags |= {"git.commit": commit, "git.dirty": str(bool(changed)).lower()}
        # MLflow would add the URL of the remote, which may contain a token.
        tags["mlflow.source.git.repoURL"] = without_credentials(_git("remote", "get-url", "origin"))
    tags |= locked_tags()
    return tags | {tag: _md5(path) for tag, path in SCORES.items() if path.exists()}


def locked_tags() -> dict[str, str]:
    """Return the md5 of dvc.lock, and the md5 of data, model and scores in it, as tags."""
    if not LOCK.exists():
        return {}
    tags = {"dvc.lock.md5": _md5(LOCK)}
    # ruamel's parser in C reads YAML 1.1, in which hashes are the same, in a tenth of the time.
    outputs = locked_outputs(YAML(typ="safe").load(LOCK))
    wanted = {"data.raw.md5": RAW, "data.train.md5": TRAIN, "model.md5": MODEL.parent} | SCORES
    return tags | {tag: outputs[str(path)] for tag, path in wanted.items() if str(path) in outputs}


def locked_outputs(lock: dict[str, Any]) -> dict[str, str]:
    """Return the md5 of each output in a lock, by path."""
    return {
        output["path"]: output["md5"] for stage in lock["stages"].values() for output in stage.get("outs", [])
    }


def locked_md5(*paths: Path) -> dict[str, str]:
    """Return the md5 of those of `paths` that dvc.lock names, by path."""
    outputs = locked_outputs(YAML(typ="safe").load(LOCK)) if LOCK.exists() else {}
    return {str(path): outputs[str(path)] for path in paths if str(path) in outputs}


def committed_file(path: Path) -> bytes | None:
    """Return an output as dvc.lock of the last commit names it; None if it is not in the cache here."""
    lock = _git("show", f"HEAD:./{LOCK}")
    md5 = locked_outputs(YAML(typ="safe").load(lock)).get(str(path)) if lock else None
    settings = ConfigParser(interpolation=None, strict=False)
    settings.read([".dvc/config", ".dvc/config.local"], encoding="utf-8")
    cache = Path(".dvc", settings.get("cache", "dir", fallback="cache").strip("'\""))
    kept = cache / "files/md5" / md5[:2] / md5[2:] if md5 else None
    return kept.read_bytes() if kept and kept.is_file() else None


def without_credentials(uri: str) -> str:
    """Return a URI without user, password, query and fragment, safe for a message or a tag."""
    # A password may have a slash or a question mark, and the URI may lack slashes: first remove everything
    # before the last @. A user without a password, as in git@host:path, is not secret.
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
