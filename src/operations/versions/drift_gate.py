"""Measures the drift of a version's data from the champion's, and records it with the version.

A stage cannot measure it: it does not know the champion, and the same lock must give the same outputs.
"""

from dataclasses import replace
from typing import Any

from operations.console import echo
from operations.versions.commits import commit_of
from operations.versions.data_gate import data_here, data_of
from operations.versions.decision import Decision
from operations.versions.drift import INDICES, NULLS, STORED, Drift, Finding
from operations.versions.loading import load_model
from operations.versions.registry import Registry
from operations.versions.splits import split_parts
from operations.versions.version import DRIFT, Version
from pipeline.checks.parameters import DriftParameters, ValidationParameters
from pipeline.config.contract import Contract, load_contract
from pipeline.config.errors import PipelineError
from pipeline.config.parameters import load
from pipeline.data.artifacts import TEST, TRAIN
from pipeline.data.features import TransformationParameters
from pipeline.data.ids import split_shares

import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

# About how many rows of each side are compared.
SAMPLE = 20_000


def hold_drift(registry: Registry, decision: Decision, champion: Version, version: Version) -> Decision:
    """Measure and record the drift of the workspace's data from the champion's; return the decision.

    The reason names the drift. With `validation.drift.hold`, a large drift stops the promotion. Data that
    cannot be compared stops nothing.
    """
    raw = version.tags.get("data.raw.md5")
    if raw and raw == champion.tags.get("data.raw.md5"):
        return decision
    try:
        parameters = load("validation", ValidationParameters).drift
        drift = measured(registry, champion, parameters)
    except Exception as error:  # noqa: BLE001 - drift explains a decision; no error of it stops a publication
        why = str(error).partition("; ")[0] if isinstance(error, PipelineError) else type(error).__name__
        parameters, drift = DriftParameters(), Drift(champion=champion.number, not_compared=[why])
    registry.record(version.number, DRIFT, drift.model_dump_json())
    echo(f"publishing: {drift.text()}")
    if not drift.found:
        return decision
    named = replace(decision, reason=f"{decision.reason}; {drift.text()}")
    largest = max(drift.found, key=lambda item: item.psi)
    if parameters.hold is None or largest.psi <= parameters.hold:
        return named
    return replace(
        named.stopped(
            f"PSI {largest.psi:.2g} of {largest.subject} is more than validation.drift.hold "
            f"{parameters.hold}: if the data is right, 'pipeline rollback {version.number} --reason TEXT' "
            f"makes version {version.number} champion"
        ),
        best=None,
    )


def measured(registry: Registry, champion: Version, parameters: DriftParameters) -> Drift:
    """Return the drift of the workspace's data from the champion's, on samples of the rows of both.

    A row is in the sample if the hash of its id is below a share, the same on both sides. The hash is that of
    the split, so the holdout comes first: of large data, only the holdout is read. The champion predicts rows
    of the holdout only, since it is more confident on rows that it was trained on.

    Raises:
        PipelineError: the rows of the champion are neither in the cache nor on the remote.
        KeyError, TypeError, ValueError: another version of the project wrote the rows in another format.
    """
    # Imported here: scipy and scikit-learn take a second, and unchanged data needs neither.
    from operations.versions.drift_tests import Side, compared

    commit, contract = commit_of(champion), load_contract()
    there, recipe = data_of(commit)
    schema = Contract.model_validate(recipe["schema"], strict=False)
    test_size = load("transformation", TransformationParameters).test_size
    old_test_size = TransformationParameters.model_validate(recipe.get("transformation") or {}).test_size
    share = min(1.0, SAMPLE / max(data_here().rows, there.rows))
    new = sampled(None, contract.id, share, test_size)
    old = sampled(commit, schema.id, share, old_test_size)
    types = {
        name: column.type
        for name, column in contract.features.items()
        if name in schema.features and schema.features[name].type == column.type
    }
    others = sorted({*contract.features, *schema.features} - {*types})
    missing = [f"{name}: only in one schema, or of another type" for name in others]
    if not (same_target := contract.target == schema.target):
        missing.append("target: another column or value")
    predicted: list[np.ndarray | None] = [None, None]
    try:
        model = load_model(registry, champion)
        predicted = [_predictions(model, frame, old_test_size) for frame in (new, old)]
    except Exception as error:  # noqa: BLE001 - a model can raise any error for a column of another type
        why = type(error.__cause__ or error).__name__
        missing.append(f"predictions: version {champion.number} cannot score these rows ({why})")
    ours, theirs = (
        Side(
            frame[of.id].to_numpy(),
            frame[[*types]],
            frame[of.target.column].to_numpy() if same_target else None,
            probability,
        )
        for frame, of, probability in zip((new, old), (contract, schema), predicted, strict=True)
    )
    findings = compared(ours, theirs, types)
    drift = Drift(
        champion=champion.number,
        rows=len(new),
        champion_rows=len(old),
        new_rows=int((~pd.Index(ours.ids).isin(theirs.ids)).sum()),
        not_compared=[*missing, *([] if findings else ["columns: too few rows"])][:STORED],
    )
    return summarized(drift, findings, parameters)


def summarized(drift: Drift, findings: list[Finding], parameters: DriftParameters) -> Drift:
    """Return the drift with the findings that are significant and at least as large as `parameters.warn`.

    A significant change of nulls or of the set of categories is reported for any size: it is more often an
    error of the source than a change of the customers.

    Each subject is reported once, for all rows or for the new ones, by the larger PSI. The classifier, which
    summarizes the columns, comes last.
    """
    largest: dict[str, Finding] = {}
    index: dict[str, float] = {}
    for finding in sorted(findings, key=lambda item: -item.psi):
        index.setdefault(finding.subject, round(finding.psi, 6))
        categories = finding.new_categories or finding.vanished_categories
        large = finding.psi >= parameters.warn or finding.subject.startswith(NULLS) or categories
        if finding.p_value < parameters.significance and large:
            largest.setdefault(finding.subject, finding)
    classifiers = [finding for finding in findings if finding.subject == "classifier"]
    best = max(classifiers, key=lambda item: item.statistic, default=None)
    return drift.model_copy(
        update={
            "found": sorted(largest.values(), key=lambda item: item.subject == "classifier")[:STORED],
            "psi": dict(list(index.items())[:INDICES]),
            "classifier_auc": best and round(best.statistic, 6),
        }
    )


def sampled(commit: str | None, name: str, share: float, test_size: float) -> pd.DataFrame:
    """Return the rows of a commit (None: the workspace) whose id, in the column `name`, hashes below `share`.

    The rows are in the order of the hash, which does not depend on the data.
    """
    tables, hashes = [], []
    for table in split_parts(commit, *((TEST,) if share <= test_size else (TEST, TRAIN))):
        of_ids = split_shares(table[name])
        tables.append(table.filter(pa.array(of_ids < share)))
        hashes.append(of_ids[of_ids < share])
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    together = np.concatenate(hashes)
    order = np.argsort(together, kind="stable")
    return frame.iloc[order].set_index(together[order])


def _predictions(model: Any, frame: pd.DataFrame, test_size: float) -> np.ndarray:
    """Return the probability of each row; NaN for rows that the model may have been trained on."""
    probability = np.full(len(frame), np.nan)
    unseen = frame.index.to_numpy() < test_size
    if unseen.any():
        with threadpool_limits(limits=1):
            probability[unseen] = model.predict_proba(frame.loc[unseen, list(model.feature_names_in_)])[:, 1]
    return probability
