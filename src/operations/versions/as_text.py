"""Versions as text for people; programs take `--json`."""

from collections.abc import Iterator
from typing import Any


def table(versions: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table of versions, as `Version.summary` describes each."""
    yield f"{'version':>7}  {'alias':8}  {'commit':10}  {'data':10}  scores"
    for row in versions:
        alias = "champion" if row["champion"] else ""
        # A version that somebody registered by hand has neither.
        commit, data = row["commit"] or "", row["data"] or ""
        yield f"{row['version']:7}  {alias:8}  {commit[:10]:10}  {data[:10]:10}  {in_words(row['scores'])}"


def lineage(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that tell what `Registry.lineage` found, without the schema and what was not used."""
    decision, back = found["decision"], found["rollback"]
    facts = {
        "version": f"{found['version']}{', the champion' if found['champion'] else ''}",
        "commit": found["commit"],
        "tag": found["tag"],
        "local": found["local"] and "its commit and its tag are in the clone that published it alone",
        "raw data": found["data"],
        "train data": found["tags"].get("data.train.md5"),
        "data from": found["data_from"] and f"version {found['data_from']}",
        "model": found["model"],
        "run": found["run"],
        "dirty": found["dirty"] and "it was evaluated before its parameters or code were committed",
        "scores": in_words(found["scores"]),
        "decision": decision
        and f"{'promoted' if decision['promoted'] else 'not promoted'}: {decision['reason']}",
        "beside": found["comparison"] and found["comparison"]["reason"],
        "rollback": back and f"{back['at']}, in place of version {back['replaced']}: {back['reason']}",
    }
    yield from (f"{name:12} {value}" for name, value in facts.items() if value)
    yield "parameters"
    algorithm = found["parameters"].get("training.algorithm")
    for name, value in found["parameters"].items():
        section, _, key = name.partition(".")
        block = key.partition(".")[0] if section == "training" and "." in key else "derived"
        if section != "schema" and block in ("derived", algorithm):
            yield f"  {name}: {value}"
    yield "  the schema, and the parameters of other algorithms: --json"
    yield f"bring back   {found['bring_back']}"


def in_words(scores: dict[str, float]) -> str:
    """Return scores on one line."""
    return ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
