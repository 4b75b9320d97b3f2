"""The model card of a version: Markdown from the files of its commit and its record in MLflow.

It is a file of the version's run, and the version's description in MLflow. All its facts are stored
elsewhere, so it can be written later: the next publication writes a card that an interruption prevented.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from operations.console import echo
from operations.git_and_dvc.dvc_remotes import files_of
from operations.versions.commits import commit_of
from operations.versions.drift import Drift
from operations.versions.lineage import lineage
from operations.versions.markdown import escaped, table
from operations.versions.registry import Registry
from operations.versions.version import CARD, DRIFT, Version
from pipeline.config.errors import PipelineError
from pipeline.config.parameters import PATH
from pipeline.data.artifacts import METRICS, SLICES, VALIDATION_REPORT
from pipeline.tracking.mlflow_store import plain_mlflow_errors

from ruamel.yaml import YAML

FILE = "model_card.md"
# The longest description in MLflow's databases, in characters.
DESCRIPTION = 5_000
# The number of listed slices and drifts, and of recent versions whose missing card is written.
LISTED, RECENT = 10, 3


def write_cards(registry: Registry, number: int, again: bool) -> None:
    """Write the card of version `number` (`again`: also if it has one), and missing ones of recent versions.

    An error of a card is printed, and does not stop the publication.
    """
    for version in registry.counting()[-RECENT:]:
        missing = version.decision is not None and CARD not in version.tags
        if not (missing or (again and version.number == number)):
            continue
        try:
            write_card(registry, version)
        except Exception as error:  # noqa: BLE001 - see above
            why = str(error) if isinstance(error, PipelineError) else type(error).__name__
            echo(f"pipeline: the model card of version {version.number} is not written: {why}", sys.stderr)


def write_card(registry: Registry, version: Version) -> None:
    """Write the card of a version to its run and to its description in MLflow.

    Raises:
        PipelineError: MLflow is away, or the files of the version's commit are lost.
    """
    text = card(lineage(registry, version.number), files(commit_of(version)))
    with plain_mlflow_errors(registry.uri, "the next publication writes it"):
        registry.client.log_text(version.run_id, text, FILE)
        registry.client.update_model_version(registry.name, str(version.number), shortened(text))
    registry.record(version.number, CARD, "written")


def files(commit: str) -> dict[str, Any]:
    """Return the parameters, the validation report and the metrics of a commit.

    Raises:
        PipelineError: the files are neither in the cache nor on the remote.
    """
    with files_of(commit) as tracked:
        found = {
            path.stem: json.loads(tracked.read_text(str(path)))
            for path in (VALIDATION_REPORT, METRICS, SLICES)
        }
        parameters: dict[str, Any] = YAML(typ="safe", pure=True).load(tracked.read_text(str(PATH)))
    return found | {"parameters": parameters}


def card(lineage: dict[str, Any], files: dict[str, Any]) -> str:
    """Return the card of a version from its lineage and the `files` of its commit."""
    parameters, metrics = files["parameters"], files["metrics"]
    target, algorithm = parameters["schema"]["target"], parameters["training"]["algorithm"]
    stated = (parameters.get("mlflow") or {}).get("card") or {}
    sections = {
        "Intended use": [escaped(stated.get("intended_use") or "Not stated (mlflow.card.intended_use).")],
        "Model": list(_model(lineage, parameters, algorithm)),
        "Data": list(_data(lineage, files["validation"])),
        "Scores": list(_scores(lineage, metrics)),
        "Slices": list(_slices(files["slices"])),
        "Limits": [escaped(stated.get("limits") or "Not stated (mlflow.card.limits).")],
        "Restore": [f"`{lineage['bring_back']}`"],
    }
    lines = [
        f"# Model card: version {lineage['version']}",
        "",
        f"Predicts whether {escaped(target['column'])} is {escaped(target['positive'])}. "
        f"Owner: {escaped(stated.get('owner') or 'not stated (mlflow.card.owner)')}.",
    ]
    for title, content in sections.items():
        lines += ["", f"## {title}", "", *content]
    return "\n".join(lines) + "\n"


def _model(lineage: dict[str, Any], parameters: dict[str, Any], algorithm: str) -> Iterator[str]:
    yield f"{escaped(algorithm)}, model `{lineage['model']}`, code and lock at commit `{lineage['commit']}`."
    yield ""
    block = parameters["training"].get(algorithm) or {}
    yield from table(("parameter", "value"), sorted(block.items()))
    for name, expression in (parameters["training"].get("derived_features") or {}).items():
        yield f"- derived feature {escaped(name)}: {escaped(expression)}"


def _data(lineage: dict[str, Any], report: dict[str, Any]) -> Iterator[str]:
    rejected = sum(report["rejected"].values())
    yield (
        f"{report['accepted']:,} rows, {100 * report['target']['positive_share']:.3g} % positive; "
        f"{rejected:,} of {report['read']:,} documents rejected. Raw data `{lineage['data']}`."
    )
    if (kept := lineage["tags"].get(DRIFT)) is not None:
        drift = Drift.model_validate_json(kept)
        yield ""
        yield f"Data: {escaped(drift.text())}."
        if drift.found:
            yield ""
            titles = ("drift", "rows", "PSI", "test", "adjusted p", "here vs champion")
            yield from table(
                titles,
                [
                    (
                        item.subject,
                        item.rows,
                        f"{item.psi:.3f}",
                        item.test,
                        f"{item.p_value:.2g}",
                        item.detail,
                    )
                    for item in drift.found[:LISTED]
                ],
            )


def _scores(lineage: dict[str, Any], metrics: dict[str, Any]) -> Iterator[str]:
    decision = lineage["decision"]
    if decision:
        yield f"Decision: {escaped(lineage['verdict'])}: {escaped(decision['reason'])}."
        yield ""
    numbers = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
    yield from table(("score", "value"), numbers.items())


def _slices(slices: dict[str, dict[str, dict[str, Any]]]) -> Iterator[str]:
    rows = [
        (f"{column} {value}", scores.get("rows"), scores.get("roc_auc"), scores.get("log_loss"))
        for column, values in slices.items()
        for value, scores in values.items()
    ]
    # A slice of one class has no ROC AUC.
    rows.sort(key=lambda row: (row[2] is None, row[2] or 0, row[0]))
    if rows:
        yield from table(("slice, worst first", "rows", "ROC AUC", "log loss"), rows[:LISTED])
    else:
        yield "None."


def shortened(text: str) -> str:
    """Return a card as a description for MLflow: only its first lines if it is too long."""
    if len(text) <= DESCRIPTION:
        return text
    more = f"\n\nThe whole card is {FILE} of the run.\n"
    return text[: DESCRIPTION - len(more)].rpartition("\n")[0] + more
