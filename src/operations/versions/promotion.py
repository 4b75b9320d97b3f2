"""The gate: a published version meets the champion, and takes its place if it is good enough."""

from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from operations.git_and_dvc.dvc_remotes import files_of
from operations.reachability import unreachable
from operations.versions.comparison import Decision, compare, not_met
from operations.versions.loading import UnreadableModelError, load_model
from operations.versions.registry import Registry
from operations.versions.restoring import commit_of
from operations.versions.version import COMPARISON, DECISION, ROLLBACK, Version
from pipeline.config.contract import load_contract
from pipeline.config.errors import PipelineError
from pipeline.config.parameters import load
from pipeline.data.artifacts import MODEL, TEST, TRAIN
from pipeline.modelling.scores import EvaluationParameters

import joblib
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def decide(registry: Registry, version: Version, current: str | None) -> Decision:
    """Compare a version with the champion and promote it if it is good enough; once, and it is kept.

    It has to be as good as the best version before it too, lest many small steps lead down. The workspace is
    that of the version. They are compared on the holdout that the commit
    `current` names (None: the workspace's own).
    """
    if version.decision is not None:
        decision = Decision(**version.decision)
    else:
        champion = registry.rival()
        if teams := registry.keeps_champion():
            said = f"version {teams.number} is the team's champion, which no local version replaces"
            decision = Decision(False, said, teams.number)
        elif champion is None:
            decision = unopposed(alone=len(registry.versions()) == 1)
        elif champion.number == version.number:
            decision = Decision(True, "it was made champion by hand before it was compared")
        elif champion.number > version.number:
            # It was interrupted, and another has come since.
            decision = Decision(False, f"version {champion.number} came after it", champion.number)
        else:
            decision = met(registry, champion, current)
            if decision.promoted:
                decision = held_to_best(registry, decision, champion, version.number, current)
        registry.record(version.number, DECISION, decision.content())
    if decision.promoted and not version.tags.get("promoted"):
        champion = registry.rival()
        if champion is None or champion.number < version.number:
            registry.make_champion(version.number)
        registry.record(version.number, "promoted", True)
    return decision


def check_champion(registry: Registry) -> None:
    """Look whether the champion can be met at all, before anything is published.

    Raises:
        PipelineError: its model cannot be had, its commit is gone, or the rows that it was trained on are.
    """
    champion = registry.rival()
    if champion is None:
        return
    try:
        # One that the packages here cannot read holds nothing up: see `met`.
        with suppress(UnreadableModelError):
            load_model(registry, champion)
        side_of(commit_of(champion), TRAIN, load_contract().id)
    except PipelineError as error:
        raise PipelineError(
            f"nothing can be compared with the champion, version {champion.number}: {error}; bring it back, "
            "make another champion ('pipeline rollback'), or take its alias away in MLflow; if it is another "
            "project's, give your model a name in params.yaml (mlflow.registered_model)"
        ) from None


def best_so_far(champion: Version) -> int:
    """Return the number of the best version up to the champion: the last that beat the best before it.

    Those after it were taken for as good: each may be a little worse than the one before it, and the last of
    them much worse than this. One that a rollback made champion begins anew.
    """
    decision = champion.decision
    if decision is None or ROLLBACK in champion.tags:
        return champion.number
    return decision.get("best") or champion.number


def held_to_best(
    registry: Registry, decision: Decision, champion: Version, number: int, current: str | None
) -> Decision:
    """Take a promotion back if the workspace's model is worse than the best version, as `challenge` finds it.

    Either way the reason tells it, and `best` is the best version once `number` is champion. A best version
    that cannot be met is no reason to keep a worse champion. If it was deleted in MLflow, or cannot score
    this holdout, the champion is the best from now on; if it cannot be read, it may be there again next time.
    """
    best, found, reason = best_so_far(champion), decision, decision.reason
    known = {version.number: version for version in registry.versions()}
    if best not in known:
        reason += f"; version {best}, the best so far, was deleted in MLflow"
        best = champion.number
    if best != champion.number:
        try:
            found = challenge(registry, known[best], current)
        except PipelineError as error:
            if unreachable(source=False):
                # It is waited for, and the decision is made then.
                raise
            said = str(error).partition("; ")[0]
            return replace(
                decision, reason=f"{reason}; version {best}, the best so far, was not met: {said}", best=best
            )
        if found.difference is None:
            reason += f"; version {best}, the best so far, was not met: {found.reason}"
            best, found = champion.number, decision
        elif found.promoted:
            reason += f"; and as the best so far: {found.reason}"
        else:
            reason = f"as good as version {champion.number}, but not as the best so far: {found.reason}"
            return replace(decision, promoted=False, reason=reason)
    better = (found.difference_5_percent or 0) > 0 and (found.log_loss_difference or 0) <= 0
    return replace(decision, reason=reason, best=number if better else best)


def compare_with_source(registry: Registry, version: Version, source: Version) -> Decision:
    """Compare a version with the one whose data it was trained on, on the holdout of that data; keep it."""
    found = met(registry, source, commit_of(source))
    registry.record(version.number, COMPARISON, found.content())
    return found


def unopposed(alone: bool) -> Decision:
    """The decision of a version that meets no champion: its evaluation passed the minimum."""
    said = "the first version" if alone else "there is no champion to meet"
    return Decision(True, f"{said}, and it passes evaluation.minimum")


def challenge(registry: Registry, rival: Version, current: str | None) -> Decision:
    """Compare the model of this workspace with a registered one, on the holdout that `current` names.

    Rows that either was trained on are left out: there are none while the split is the same.

    Raises:
        UnreadableModelError: the packages here cannot read its model.
        PipelineError: its model or its rows cannot be had.
    """
    contract, evaluation = load_contract(), load("evaluation", EvaluationParameters)
    try:
        holdout = side(current, TEST)
        theirs, ours = side_of(commit_of(rival), TRAIN, contract.id), side(None, TRAIN, contract.id)
        trained_on = {*theirs[contract.id], *ours[contract.id]}
        return compare(
            joblib.load(MODEL),
            load_model(registry, rival),
            rival.number,
            holdout[~holdout[contract.id].isin(trained_on)],
            contract,
            evaluation.slices,
        )
    except KeyError as error:
        return not_met(rival.number, error)


def met(registry: Registry, rival: Version, current: str | None) -> Decision:
    """Compare as `challenge` does; one that the packages here cannot read is met as one of another schema."""
    try:
        return challenge(registry, rival, current)
    except UnreadableModelError as error:
        return not_met(rival.number, error.__cause__ or error)


@lru_cache(maxsize=3)
def side_of(commit: str, folder: Path, *columns: str) -> pd.DataFrame:
    """Read a side as `side` does, once: what a commit names does not change, and may come from afar."""
    return side(commit, folder, *columns)


def side(commit: str | None, folder: Path, *columns: str) -> pd.DataFrame:
    """Read a side of the features that a commit (None: the workspace) names, from the cache or the remote.

    It has those of the `columns` that there are; without any named, all.

    Raises:
        PipelineError: it is in neither, or damaged.
    """
    tables = []
    try:
        with files_of(commit) as files:
            for path in sorted(files.find(str(folder))):
                with files.open(path, "rb") as part:
                    tables.append(pq.ParquetFile(part).read(list(columns) or None))
            frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    except PipelineError as error:
        where = f"of commit {commit[:10]}" if commit else "of this workspace"
        why = type(error.__cause__).__name__
        raise PipelineError(f"{folder} {where} cannot be read ({why}): 'dvc pull'") from None
    return frame
