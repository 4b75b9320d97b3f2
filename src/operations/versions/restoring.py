"""Rolls back to a version, after a proof that all of it can be fetched and is what was published."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from operations.console import echo
from operations.git_and_dvc.dvc_repository import dvc_repository, plain_dvc_errors
from operations.git_and_dvc.worktrees import cache_of, site_cache_of, throw_away_worktree
from operations.readiness.waiting import check_remote
from operations.versions.commits import commit_of
from operations.versions.loading import load_model, unreadable
from operations.versions.registry import Registry
from operations.versions.version import PROMOTED, ROLLBACK, Version
from pipeline.config.errors import PipelineError
from pipeline.data.artifacts import MODEL, TEST
from pipeline.modelling.features import read_split

import joblib
import numpy as np

PROOF_ROWS = 200
# Separates how a pinned version became champion from the reason.
PINNED = ", pinned: "


def rollback(number: int, reason: str) -> Version | None:
    """Prove that a version can be restored, make it champion and pin it; return the version it replaces.

    The champion can be pinned this way too; then the result is None.

    Raises:
        PipelineError: there is no such version, or a part of it is missing or damaged.
    """
    registry = Registry()
    version, replaced = registry.version(number), registry.champion()
    replaced = replaced if replaced and replaced.number != number else None
    registry.check_counts(version)
    if replaced is not None and registry.keeps_champion():
        registry.check_counts(replaced)
    check_remote()
    echo(f"fetching all of version {number}, to prove that it is there")
    prove(registry, version)
    now, reason = datetime.now(UTC), " ".join(reason.split())
    record = {
        "replaced": replaced.number if replaced else None,
        "reason": reason,
        "at": now.isoformat(timespec="seconds"),
    }
    # The rollback overrides interrupted promotions: no later run may finish them.
    for other in registry.counting():
        if other.decision and other.decision["promoted"] and PROMOTED not in other.tags:
            registry.record(other.number, PROMOTED, True)
    registry.record(number, ROLLBACK, record)
    registry.make_champion(number, f"by rollback on {now:%Y-%m-%d}{PINNED}{reason}", pinned=True)
    return replaced


def unpin(reason: str) -> Version | None:
    """Lift the pin of the champion, and return it; None if it is not pinned.

    Raises:
        PipelineError: there is no champion.
    """
    registry = Registry()
    champion = registry.champion()
    if champion is None:
        raise PipelineError("there is no champion, and so no pin: 'pipeline models' lists the versions")
    if not champion.pinned:
        return None
    how, _, _ = champion.standing.partition(PINNED)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    registry.make_champion(champion.number, f"{how}, unpinned {today}: {' '.join(reason.split())}")
    return champion


def prove(registry: Registry, version: Version) -> None:
    """Fetch all data of a version into an empty cache, and compare every file with its hash.

    The model in MLflow must make the same predictions as the model in DVC.

    Raises:
        PipelineError: a part is missing or damaged; the message names it.
    """
    model = load_model(registry, version)
    commit = commit_of(version)
    with throw_away_worktree(commit) as folder:
        reason = "missing on the remote, or damaged"
        settings = {"core": {"site_cache_dir": site_cache_of(folder)}}
        with dvc_repository("fetch", folder, settings) as repo:
            outs = [out for out in repo.index.outs if out.use_cache and out.hash_info]
            wanted = {str(out.hash_info.value) for out in outs}
            remotes = [repo.cloud.get_remote_odb(name) for name in {out.remote for out in outs}]
            try:
                with plain_dvc_errors("fetch"):
                    repo.fetch()
            except PipelineError as error:
                # DVC names one missing object; the message below names up to three.
                reason = str(error)
            wrong, before = unproven(cache_of(folder), wanted), list[str]()
            # A damaged object ends DVC's fetch while others wait. The list of a folder brings new names.
            while wrong and wrong != before:
                before = wrong
                fetch_each(wrong, remotes, cache_of(folder))
                wrong = unproven(cache_of(folder), wanted)
        if wrong:
            more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            raise PipelineError(
                f"version {version.number} cannot be restored: {', '.join(wrong[:3])}{more} could not be "
                f"fetched whole ({reason}); nothing was changed"
            )
        with dvc_repository("checkout", folder, settings) as repo:
            repo.checkout()
        rows = read_split(folder / TEST).head(PROOF_ROWS)
        try:
            kept = joblib.load(folder / MODEL)
            rows = rows[list(kept.feature_names_in_)]
            same = np.array_equal(kept.predict_proba(rows), model.predict_proba(rows))
        except (MemoryError, OSError):
            raise
        except Exception as error:
            # The file is intact, so the installed packages are the cause.
            raise unreadable(version, error) from error
        if not same:
            raise PipelineError(f"version {version.number} in MLflow is not the model that its commit names")


def fetch_each(names: Iterable[str], remotes: Sequence[Any], cache: Path) -> None:
    """Fetch objects one by one from the first remote that has them whole; a missing one stops no other."""
    for name in names:
        path = object_path(cache, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        for remote in remotes:
            with suppress(FileNotFoundError):
                remote.fs.get_file(remote.oid_to_path(name), str(path))
            if intact(cache, name):
                break


def unproven(cache: Path, outputs: set[str]) -> list[str]:
    """Return the objects of outputs, including the files of folders, that are missing or damaged in a cache.

    An object is intact if its name is the md5 of its content.
    """
    wanted = set(outputs)
    for name in [name for name in outputs if name.endswith(".dir")]:
        if intact(cache, name):
            wanted.update(entry["md5"] for entry in json.loads(object_path(cache, name).read_text()))
    return sorted(name for name in wanted if not intact(cache, name))


def object_path(cache: Path, name: str) -> Path:
    """Return the path of an object in a DVC cache."""
    return cache / "files" / "md5" / name[:2] / name[2:]


def intact(cache: Path, name: str) -> bool:
    """Whether an object is in the cache, and its name is the md5 of its content."""
    if not (path := object_path(cache, name)).is_file():
        return False
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return md5 == name.removesuffix(".dir")
