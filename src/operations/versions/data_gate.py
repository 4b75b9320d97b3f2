"""Compares the data with the champion's; too large a change prevents promotion, or stops the retrain."""

import json
from dataclasses import replace
from typing import Any

from operations.console import echo
from operations.git_and_dvc.dvc_remotes import files_of
from operations.readiness.waiting import unreachable
from operations.versions.commits import commit_of
from operations.versions.data_change import DataFacts, changes, not_comparable
from operations.versions.decision import Decision
from operations.versions.registry import Registry
from operations.versions.version import Version
from pipeline.checks.parameters import ValidationParameters
from pipeline.config.contract import load_contract
from pipeline.config.errors import PipelineError
from pipeline.config.parameters import PATH, load
from pipeline.data.artifacts import VALIDATION_REPORT

from ruamel.yaml import YAML

# How many changes, or names of columns, are quoted.
QUOTED = 5


def hold_changed_data(decision: Decision, champion: Version, number: int) -> Decision:
    """Return the decision on version `number`: not promoted if its data changed too far from the champion's.

    Its data is the data of the workspace. The reason also names what could not be compared.

    Raises:
        PipelineError: a server is away.
    """
    change, missing = compare_with(champion)
    reason = f"{decision.reason}; {missing}" if missing else decision.reason
    if change is None:
        return replace(decision, reason=reason)
    anyway = f"if it is right, 'pipeline rollback {number} --reason TEXT' makes version {number} champion"
    return replace(decision, promoted=False, reason=f"{change}; {anyway}; its model: {reason}", best=None)


def stop_on_changed_data() -> None:
    """Stop a retrain if the data of the workspace changed too far from the champion's.

    Raises:
        PipelineError: the data changed too far, or a server is away.
    """
    champion = Registry().champion()
    if champion is None:
        echo("validation: there is no champion to compare the data with")
        return
    change, missing = compare_with(champion)
    if missing:
        echo(f"validation: {missing}")
    if change:
        raise PipelineError(
            f"validation: {change}; stopped before training, since validation.on_change is stop: if the data "
            "is right, set on_change to hold, or raise the bound, and commit params.yaml"
        )


def compare_with(champion: Version) -> tuple[str | None, str | None]:
    """Return how the data of the workspace changed too far from the champion's, and what was not compared.

    Raises:
        PipelineError: a server is away.
    """
    here = data_here()
    theirs = f"that of version {champion.number}"
    try:
        there, _ = data_of(commit_of(champion))
    except PipelineError as error:
        if unreachable(source=False):
            # The caller waits for the server.
            raise
        return None, f"the data was not compared with {theirs}: {str(error).partition('; ')[0]}"
    differences = list(changes(here, there, load("validation", ValidationParameters)))
    others = not_comparable(here, there)
    return (
        f"the data differs from {theirs}: {_first(differences, '; ')}" if differences else None,
        f"other columns than {theirs}, not compared: {_first(others, ', ')}" if others else None,
    )


def data_here() -> DataFacts:
    """Return the facts of the workspace's data."""
    report = json.loads(VALIDATION_REPORT.read_text(encoding="utf-8"))
    return DataFacts.of(report, load_contract().model_dump())


def data_of(commit: str) -> tuple[DataFacts, dict[str, Any]]:
    """Return the facts of a commit's data, from the cache or the remote, and the commit's parameters.

    Raises:
        PipelineError: neither has them, or another version of the project wrote them in another format.
    """
    try:
        with files_of(commit) as files:
            report = json.loads(files.read_text(str(VALIDATION_REPORT)))
            parameters = YAML(typ="safe", pure=True).load(files.read_text(str(PATH)))
            return DataFacts.of(report, parameters["schema"]), parameters
    except PipelineError as error:
        why = type(error.__cause__).__name__
        raise PipelineError(f"{VALIDATION_REPORT} of commit {commit[:10]} cannot be read ({why})") from None


def _first(texts: list[str], separator: str) -> str:
    more = [f"and {len(texts) - QUOTED} more"] if len(texts) > QUOTED else []
    return separator.join([*texts[:QUOTED], *more])
