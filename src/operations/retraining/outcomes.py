"""The outcome of a retrain, from the publication and the artifacts in the current folder."""

import json
from typing import Any, Literal

from operations.retraining.request import Outcome
from operations.versions.drift import Drift
from operations.versions.publishing import Published
from operations.versions.version import SCORES
from pipeline.data.artifacts import METRICS, VALIDATION_REPORT


def outcome_of(published: Published) -> Outcome:
    """Return the outcome of a publication."""
    reason = published.decision.reason
    verdict = "champion" if published.champion else published.verdict
    if published.new:
        message = f"version {published.version} is published; {verdict}: {reason}"
    else:
        message = f"version {published.version} holds this model already; it is "
        rise = f"'pipeline rollback {published.version}' makes it champion"
        message += "champion" if published.champion else f"not champion ({verdict}: {reason}): {rise}"
    if published.comparison:
        message += f"; compared with the version that its data is from: {published.comparison.reason}"
    result = outcome("succeeded" if published.new else "unchanged", message)
    return result.model_copy(
        update={
            "version": published.version,
            "promoted": published.champion,
            "commit": published.commit,
            "reason": f"{published.verdict}: {reason}",
            "drift": published.drift and Drift.model_validate(published.drift),
        }
    )


def outcome(state: Literal["succeeded", "unchanged"], message: str) -> Outcome:
    """Return the outcome of a run, with the scores and row counts of the artifacts here."""
    scores: dict[str, Any] = json.loads(METRICS.read_text(encoding="utf-8"))
    rows: dict[str, Any] = json.loads(VALIDATION_REPORT.read_text(encoding="utf-8"))
    return Outcome(
        state=state,
        message=message,
        metrics={name: scores[name] for name in SCORES if name in scores},
        rows_read=rows["read"],
        rows_rejected=rows["read"] - rows["accepted"],
    )
