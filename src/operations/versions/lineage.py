"""The lineage of a version: what made it, and how to bring it back."""

from typing import Any

from operations.versions.registry import Registry
from operations.versions.tags import tag_here
from operations.versions.version import COMPARISON, DATA_FROM, DRIFT, ROLLBACK, number_of
from pipeline.config.errors import PipelineError


def lineage(registry: Registry, number: int) -> dict[str, Any]:
    """Return what made a version, and the commands that bring it back.

    Raises:
        PipelineError: there is no such version.
    """
    version = registry.version(number)
    run = registry.run(version.run_id) if version.run_id else None
    if run is None:
        raise PipelineError(f"the run of version {number} is gone from MLflow: only its tags are left")
    here = tag_here(version) if version.local else version.tag
    return version.with_run(run).summary() | {
        "tag": here or version.tag,
        "tags": version.tags,
        "dirty": run.data.tags.get("git.dirty") == "true",
        "decision": version.decision,
        "verdict": version.verdict,
        "data_from": number_of(version.tags[DATA_FROM]) if DATA_FROM in version.tags else None,
        "comparison": version.kept(COMPARISON),
        "rollback": version.kept(ROLLBACK),
        "drift": version.kept(DRIFT),
        "threshold": run.data.metrics.get("threshold"),
        "parameters": dict(run.data.params),
        "bring_back": f"git checkout {here} && dvc pull" if here else "only the clone that published it can",
    }
