"""Decides whether a published version replaces the champion."""

from contextlib import suppress
from dataclasses import replace

from operations.readiness.waiting import unreachable
from operations.versions.commits import commit_of
from operations.versions.comparison import compare, incomparable
from operations.versions.data_gate import hold_changed_data
from operations.versions.decision import Decision
from operations.versions.drift_gate import hold_drift
from operations.versions.loading import UnreadableModelError, load_model
from operations.versions.registry import Registry
from operations.versions.served import reasons_not_to_serve
from operations.versions.splits import cached_commit_split, read_commit_split
from operations.versions.version import (
    ASKED,
    COMPARISON,
    DATA_FROM,
    DECISION,
    NOT_ASKED,
    PROMOTE,
    PROMOTED,
    Version,
)
from pipeline.config.contract import load_contract
from pipeline.config.errors import PipelineError
from pipeline.config.parameters import load
from pipeline.data.artifacts import MODEL, TEST, TRAIN
from pipeline.modelling.parameters import EvaluationParameters

import joblib


def decide(registry: Registry, version: Version, holdout_commit: str | None) -> Decision:
    """Compare a version with the champion, record the decision, and promote the version if it passes.

    A recorded decision is not made again. The workspace is the version's. Both models are scored on the
    holdout of `holdout_commit` (None: of the workspace).
    """
    decision = Decision(**version.decision) if version.decision else None
    if decision and PROMOTED in version.tags:
        return decision
    champion = registry.rival()
    # Another version may have become champion during the comparison or an interruption: compare again.
    while decision is None or (
        decision.promoted and champion and champion.number not in (version.number, decision.champion)
    ):
        decision = judge(registry, version, champion, holdout_commit)
        registry.record(version.number, DECISION, decision.content())
        champion = registry.rival()
    if decision.promoted:
        if champion is None or champion.number != version.number:
            reason = decision.reason if decision.champion is None else f"promoted: {decision.reason}"
            registry.make_champion(version.number, reason, best=decision.best)
        registry.record(version.number, PROMOTED, True)
    return decision


def judge(
    registry: Registry, version: Version, champion: Version | None, holdout_commit: str | None
) -> Decision:
    """Return the decision on a version: its comparison with the champion, and reasons against promotion."""
    wish = version.tags.get(PROMOTE)
    if teams := registry.keeps_champion():
        reason = f"version {teams.number} is the team's champion, which no local version replaces"
        return Decision(False, reason, teams.number)
    if champion is None:
        alone = len(registry.versions()) == 1
        decision = Decision(True, "the first version" if alone else "no champion to compare with")
    elif champion.number == version.number:
        return Decision(False, "made champion by hand before it was compared")
    elif champion.number > version.number and wish != ASKED:
        # Its publication was interrupted, and another version became champion since.
        return Decision(False, f"version {champion.number} came after it", champion.number)
    else:
        decision = compare_or_incomparable(registry, champion, holdout_commit)
    against = []
    if wish == NOT_ASKED:
        against.append(
            f"an experiment on the data of {version.tags[DATA_FROM]}, promoted with --promote only"
            if DATA_FROM in version.tags
            else "promotion is switched off for this run (--no-promote)"
        )
    if champion and champion.pinned and not decision.measurably_better:
        against.append(
            f"not measurably better than version {champion.number}, which is pinned ({champion.standing}): "
            "'pipeline unpin' lifts the pin"
        )
    decision = decision.stopped(*against)
    if champion and holdout_commit is None:
        # With a holdout commit, the request names old data.
        decision = hold_changed_data(decision, champion, version.number)
        decision = hold_drift(registry, decision, champion, version)
    if champion and decision.promoted:
        decision = check_against_best(registry, decision, champion, version.number, holdout_commit)
    return decision.stopped(*reasons_not_to_serve(registry, version)) if decision.promoted else decision


def check_champion(registry: Registry) -> None:
    """Check that a comparison with the champion is possible, before anything is published.

    Raises:
        PipelineError: the champion's model, commit or training rows are missing.
    """
    champion = registry.rival()
    if champion is None:
        return
    try:
        # An unreadable model does not stop the publication: see `compare_or_incomparable`.
        with suppress(UnreadableModelError):
            load_model(registry, champion)
        cached_commit_split(commit_of(champion), TRAIN, load_contract().id)
    except PipelineError as error:
        raise PipelineError(
            f"nothing can be compared with the champion, version {champion.number}: {error}; bring it back, "
            "make another champion ('pipeline rollback'), or take its alias away in MLflow; if it is another "
            "project's, give your model a name in params.yaml (mlflow.registered_model)"
        ) from None


def check_against_best(
    registry: Registry, decision: Decision, champion: Version, number: int, holdout_commit: str | None
) -> Decision:
    """Return the decision after a comparison with the best version so far, so that losses do not add up.

    Its `best` is the number of the best version once `number` is champion. A best version that cannot be
    compared does not stop the promotion. If it cannot score this holdout, the champion replaces it as best.
    If it cannot be read, it stays the best: it may be readable next time. A pinned champion counts as the
    best. MLflow removes the alias of a deleted best version.
    """
    best = (None if champion.pinned else registry.best()) or champion
    comparison = decision
    if best.number != champion.number:
        named = f"the best so far, version {best.number}"
        try:
            comparison = challenge(registry, best, holdout_commit)
        except PipelineError as error:
            if unreachable(source=False):
                # The next run decides, once the server answers.
                raise
            why = str(error).partition("; ")[0]
            reason = f"{decision.reason}; not compared with {named}: {why}"
            return replace(decision, reason=reason, best=best.number)
        if comparison.difference is None:
            reason = f"{decision.reason}; not compared with {named}: {comparison.reason.partition('; ')[0]}"
            best, comparison = champion, decision
        elif not comparison.promoted:
            return decision.stopped(f"worse than {named}: {comparison.reason}")
        else:
            reason = f"{decision.reason}; against the best so far: {comparison.reason}"
        decision = replace(decision, reason=reason)
    # A new best must not have a higher log loss: repeated, small increases would add up.
    better = comparison.measurably_better and (comparison.log_loss_difference or 0) <= 0
    return replace(decision, best=number if better else best.number)


def compare_with_source(registry: Registry, version: Version, source: Version) -> Decision:
    """Compare a version with the one whose data it was trained on, on that data's holdout, and record it."""
    comparison = compare_or_incomparable(registry, source, commit_of(source))
    registry.record(version.number, COMPARISON, comparison.content())
    return comparison


def challenge(registry: Registry, rival: Version, holdout_commit: str | None) -> Decision:
    """Compare the model of this workspace with a registered one, on the holdout of `holdout_commit`.

    Rows that either model was trained on are left out. There are none unless the split changed.

    Raises:
        UnreadableModelError: the installed packages cannot read the registered model.
        PipelineError: the registered model or its rows are missing.
    """
    contract, evaluation = load_contract(), load("evaluation", EvaluationParameters)
    try:
        holdout = read_commit_split(holdout_commit, TEST)
        theirs, ours = (
            cached_commit_split(commit_of(rival), TRAIN, contract.id),
            read_commit_split(None, TRAIN, contract.id),
        )
        trained_on = {*theirs[contract.id], *ours[contract.id]}
        return compare(
            joblib.load(MODEL),
            load_model(registry, rival),
            rival.number,
            holdout[~holdout[contract.id].isin(trained_on)],
            contract,
            evaluation.slice_by,
        )
    except KeyError as error:
        return incomparable(rival.number, error)


def compare_or_incomparable(registry: Registry, rival: Version, holdout_commit: str | None) -> Decision:
    """Compare as `challenge` does; return `incomparable` if the packages here cannot read the rival."""
    try:
        return challenge(registry, rival, holdout_commit)
    except UnreadableModelError as error:
        return incomparable(rival.number, error.__cause__ or error)
