"""Drift in the decision on a version: measured on rows of DVC, recorded, named; it holds if configured."""

from collections.abc import Callable
from typing import Any

from operations.service.metrics import drift_metrics, newest_drift
from operations.versions import drift_gate
from operations.versions.decision import Decision
from operations.versions.drift import Drift
from operations.versions.drift_gate import hold_drift, sampled
from operations.versions.registry import Registry
from operations.versions.version import DRIFT, Version
from pipeline.config.errors import PipelineError
from pipeline.data.artifacts import MODEL, TEST, TRAIN
from pipeline.data.ids import split_shares
from project import FIRST, Project

import joblib
import pandas as pd
import pyarrow as pa
import pytest

GOOD = Decision(True, "it is better", 1, best=2)
NEW = Version(2, "", {}, False)


@pytest.fixture
def champion(ready: Project, monkeypatch: pytest.MonkeyPatch) -> Version:
    """Version 1, whose commit is checked out in the current folder."""
    monkeypatch.chdir(ready.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{ready.root}/mlflow.db")
    ready.git("tag", "model-v1")
    model = joblib.load(MODEL)
    monkeypatch.setattr(drift_gate, "load_model", lambda *_: model)
    return Version(1, "", {"git.commit": ready.git("rev-parse", "HEAD").strip()}, True)


def decided(champion: Version, new: Version = NEW) -> tuple[Decision, Drift | None]:
    """Return the decision and the recorded drift."""
    recorded: dict[str, Any] = {}
    registry = Registry()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "record", lambda _, name, content: recorded.update({name: content}))
        decision = hold_drift(registry, GOOD, champion, new)
    return decision, Drift.model_validate_json(recorded[DRIFT]) if recorded else None


def change(edit: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change the rows of the workspace, which may be links to the cache."""
    for folder in (TRAIN, TEST):
        for path in folder.glob("*.parquet"):
            frame = edit(pd.read_parquet(path))
            path.unlink()
            frame.to_parquet(path)


def dearer(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(monthly_charges=frame["monthly_charges"] + 20, contract="month-to-month")


def test_drift_is_recorded_and_holds_if_configured(
    champion: Version, ready: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    decision, drift = decided(champion)
    assert drift is not None
    assert decision == GOOD
    assert (drift.champion, drift.rows, drift.champion_rows, drift.new_rows) == (1, FIRST, FIRST, 0)
    assert drift.found == drift.not_compared == []
    assert {"monthly_charges", "contract", "target", "predictions", "classifier"} <= drift.psi.keys()
    assert capsys.readouterr().out == "publishing: no drift from version 1\n"

    # Given higher charges, and some new customers
    change(dearer)
    change(lambda frame: frame.assign(_id=[f"N{key}" if key[-1] in "24" else key for key in frame["_id"]]))
    decision, drift = decided(champion)
    assert drift is not None
    assert decision.promoted
    assert decision.reason.startswith(
        f"it is better; drift from version 1: {drift.found[0].text()}, {drift.found[1].text()}"
    )
    named = {finding.subject for finding in drift.found}
    assert {"monthly_charges", "predictions", "classifier"} <= named
    assert drift.new_rows == FIRST // 5
    metrics = {sample.name: sample for each in drift_metrics(drift) for sample in each.samples}
    assert metrics["pipeline_drift_found"].value == len(drift.found)
    assert metrics["pipeline_drift_classifier_auc"].value == drift.classifier_auc
    versions = [Version(1, "", {DRIFT: drift.model_dump_json()}, True), Version(2, "", {DRIFT: "?"}, False)]
    assert newest_drift(versions) == drift

    ready.set(validation__drift={"hold": 0.1})
    decision, _ = decided(champion)
    assert not decision.promoted
    assert decision.best is None
    assert (
        "is more than validation.drift.hold 0.1: if the data is right, 'pipeline rollback 2"
        in decision.reason
    )

    # Data with the same hash has not drifted, whatever the workspace holds.
    same = {"data.raw.md5": "a"}
    assert decided(Version(1, "", champion.tags | same, True), Version(2, "", same, False)) == (GOOD, None)


def test_sample_has_the_same_ids_holdout_first(champion: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = sampled(None, "_id", 0.1, 0.2)
    assert 80 < len(frame) < 160
    shares = split_shares(pa.chunked_array([[*frame["_id"]]]))
    assert shares.tolist() == sorted(frame.index) == list(frame.index)
    assert frame.index.max() < 0.1
    assert frame.equals(sampled(champion.tags["git.commit"], "_id", 0.1, 0.2))
    # Beyond the holdout, the training rows are read too.
    assert len(sampled(None, "_id", 1.0, 0.2)) == FIRST

    monkeypatch.setattr(drift_gate, "SAMPLE", 200)
    TRAIN.rename("elsewhere")
    _, drift = decided(champion)
    assert drift is not None
    assert 150 < drift.rows == drift.champion_rows < 250


def test_incomparable_data_is_named_and_stops_nothing(
    champion: Version, ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: Any) -> None:
        raise PipelineError("MLflow holds no model") from FileNotFoundError()

    # Given a column of another type, another target's value, and a champion that cannot be loaded
    monkeypatch.setattr(drift_gate, "load_model", unreadable)
    ready.set(schema__columns__gender={"path": "gender", "type": "string"}, schema__target__positive=False)
    decision, drift = decided(champion)
    assert decision == GOOD
    assert drift is not None
    assert drift.not_compared == [
        "gender: only in one schema, or of another type",
        "target: another column or value",
        "predictions: version 1 cannot score these rows (FileNotFoundError)",
    ]
    assert "contract" in drift.psi

    # Given lost rows
    ready.run("rm", "-r", ".dvc/cache/files")
    decision, drift = decided(champion)
    assert decision == GOOD
    assert drift is not None
    assert drift.text().startswith("drift from version 1 not measured: artifacts/validation.json of commit ")
