"""The effect of changed data: held, stopped, or not compared if the champion's facts are lost."""

import json
from typing import Any

from operations.versions import data_gate
from operations.versions.data_gate import hold_changed_data, stop_on_changed_data
from operations.versions.decision import Decision
from operations.versions.registry import Registry
from operations.versions.version import Version
from pipeline.config.errors import PipelineError
from pipeline.data.artifacts import VALIDATION_REPORT
from project import Project

import pytest

GOOD = Decision(True, "it is better", 1, best=2)


@pytest.fixture
def champion(ready: Project, monkeypatch: pytest.MonkeyPatch) -> Version:
    """Version 1, whose commit is checked out in the current folder."""
    monkeypatch.chdir(ready.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{ready.root}/mlflow.db")
    ready.git("tag", "model-v1")
    version = Version(1, "", {"git.commit": ready.git("rev-parse", "HEAD").strip()}, True)
    monkeypatch.setattr(Registry, "champion", lambda _: version)
    monkeypatch.setattr(data_gate, "unreachable", lambda **_: {})
    return version


def report(**changes: Any) -> None:
    """Change validation's report in the workspace, which may be a link to the cache."""
    content = json.loads(VALIDATION_REPORT.read_text()) | changes
    VALIDATION_REPORT.unlink()
    VALIDATION_REPORT.write_text(json.dumps(content))


def test_changed_data_is_held_or_stops(champion: Version) -> None:
    assert hold_changed_data(GOOD, champion, 2) == GOOD
    stop_on_changed_data()

    # Given half of the rows
    facts = json.loads(VALIDATION_REPORT.read_text())
    rows, positives = facts["accepted"], facts["target"]["positives"]
    report(accepted=rows // 2, target={"positives": positives // 2})
    held = hold_changed_data(GOOD, champion, 2)

    change = (
        f"the data differs from that of version 1: rows: {rows // 2:,} vs {rows:,}, 50 % fewer, more than "
    )
    assert not held.promoted
    assert held.best is None
    assert held.reason.startswith(f"{change}validation.max_shrink 0.1; if it is right, 'pipeline rollback 2 ")
    assert held.reason.endswith("makes version 2 champion; its model: it is better")
    with pytest.raises(PipelineError, match="stopped before training") as caught:
        stop_on_changed_data()
    assert str(caught.value).startswith(f"validation: {change}")
    assert caught.value.exit_code == 1


def test_incomparable_data_is_named_and_blocks_nothing(
    champion: Version, ready: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a new column and one of another type
    ready.set(
        schema__columns__new={"path": "new", "type": "boolean"},
        schema__columns__gender={"path": "gender", "type": "string"},
    )
    columns = json.loads(VALIDATION_REPORT.read_text())["columns"]
    report(columns=columns | {"new": {"null_share": 0.0, "shares": {"true": 1.0}}})
    decision = hold_changed_data(GOOD, champion, 2)
    assert decision.promoted
    assert decision.reason == "it is better; other columns than that of version 1, not compared: gender, new"

    # Given facts that are lost
    ready.run("rm", "-r", ".dvc/cache/files")
    decision = hold_changed_data(GOOD, champion, 2)
    assert decision.promoted
    assert "; the data was not compared with that of version 1: artifacts/validation.json " in decision.reason
    stop_on_changed_data()
    assert capsys.readouterr().out.startswith("validation: the data was not compared with that of version 1")

    # An unreachable server is waited for
    monkeypatch.setattr(data_gate, "unreachable", lambda **_: {"git": "no answer"})
    with pytest.raises(PipelineError, match=r"validation\.json of commit .* cannot be read"):
        hold_changed_data(GOOD, champion, 2)
