"""The request of `pipeline retrain`."""

from operations.commands import app
from operations.retraining.request import Outcome, Request
from pipeline.config.errors import ConfigurationError

import pytest
from typer.testing import CliRunner


def requested(monkeypatch: pytest.MonkeyPatch, *words: str) -> Request:
    """Return the request that a command makes."""
    made: list[Request] = []

    def run(request: Request) -> Outcome:
        made.append(request)
        return Outcome(state="unchanged", message="nothing changed")

    monkeypatch.setattr("operations.git_and_dvc.git.branch", lambda: "main")
    monkeypatch.setattr("operations.retraining.transaction.run", run)
    CliRunner().invoke(app, ["retrain", *words], catch_exceptions=False)
    return made[0]


@pytest.mark.parametrize(
    ("words", "may"),
    [
        ((), True),
        (("--keep-data",), True),
        (("--no-promote",), False),
        (("--data-from", "1"), False),
        (("--data-from", "1", "--no-promote"), False),
        (("--data-from", "1", "--promote"), True),
    ],
)
def test_old_data_is_not_promoted_by_default(
    words: tuple[str, ...], may: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = requested(monkeypatch, *words)

    assert Request.model_validate_json(request.model_dump_json()).may_promote is may


def test_promote_needs_old_data(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"^--promote needs --data-from"):
        requested(monkeypatch, "--promote")


@pytest.mark.parametrize("command", [("rollback", "1"), ("unpin",)])
def test_manual_decision_needs_a_reason(command: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"^--reason is empty"):
        CliRunner().invoke(app, [*command, "--reason", " "], catch_exceptions=False)
