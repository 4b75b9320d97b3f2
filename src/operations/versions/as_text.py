"""Versions as text for people; programs use `--json`."""

from collections.abc import Iterator
from typing import Any

from operations.versions.drift import Drift


def table(versions: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table of versions (`Version.summary`), then why the champion is the champion."""
    yield (
        f"{'version':>7}  {'created':10}  {'alias':16}  {'decision':12}  {'commit':10}  {'data':10}  scores"
    )
    for row in versions:
        alias = f"champion{', pinned' if row['pinned'] else ''}" if row["champion"] else ""
        # A version registered by hand has none of these.
        decision, commit, data = row["decision"] or "", row["commit"] or "", row["data"] or ""
        yield (
            f"{row['version']:7}  {row['created'][:10]}  {alias:16}  {decision:12}  "
            f"{commit[:10]:10}  {data[:10]:10}  {scores_text(row['scores'])}"
        )
    for row in versions:
        if row["champion"]:
            yield f"champion: version {row['version']}, {row['reason']}"
            if row.get("report"):
                yield f"report: {row['report']}"


def lineage(version: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a lineage, without the schema and the parameters of other algorithms."""
    decision, rollback = version["decision"], version["rollback"]
    facts = {
        "version": f"{version['version']}{', the champion' if version['champion'] else ''}",
        "created": version["created"],
        "commit": version["commit"],
        "tag": version["tag"],
        "local": version["local"] and "its commit and its tag are only in the clone that published it",
        "raw data": version["data"],
        "train data": version["tags"].get("data.train.md5"),
        "data from": version["data_from"] and f"version {version['data_from']}",
        "model": version["model"],
        "run": version["run"],
        "dirty": version["dirty"] and "it was evaluated before its parameters or code were committed",
        "scores": scores_text(version["scores"]),
        "threshold": version["threshold"] and f"{version['threshold']:.4g}",
        "champion": version["champion"] and version["reason"],
        "decision": decision and f"{version['verdict']}: {decision['reason']}",
        "drift": version["drift"] and Drift.model_validate(version["drift"]).text(),
        "compared": version["comparison"] and version["comparison"]["reason"],
        "rollback": rollback and f"{rollback['at']}{replaced_text(rollback)}: {rollback['reason']}",
    }
    yield from (f"{name:12} {value}" for name, value in facts.items() if value)
    yield "parameters"
    algorithm = version["parameters"].get("training.algorithm")
    for name, value in version["parameters"].items():
        section, _, key = name.partition(".")
        block = key.partition(".")[0] if section == "training" and "." in key else "derived_features"
        if section != "schema" and block in ("derived_features", algorithm):
            yield f"  {name}: {value}"
    yield "  the schema, and the parameters of other algorithms: --json"
    yield f"bring back   {version['bring_back']}"
    if not version["champion"]:
        yield f"promote      pipeline rollback {version['version']} --reason TEXT"


def replaced_text(rollback: dict[str, Any]) -> str:
    """Return which version a rollback replaced, to append to a text; empty if it replaced none."""
    return f", in place of version {rollback['replaced']}" if rollback["replaced"] else ""


def scores_text(scores: dict[str, float]) -> str:
    """Return scores on one line."""
    return ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
