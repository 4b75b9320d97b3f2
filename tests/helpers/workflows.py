"""The workflows under .github/, as the tests read them."""

from pathlib import Path
from typing import Any

from project import ROOT

from ruamel.yaml import YAML

FOLDER = ROOT / ".github/workflows"
PATHS = sorted(FOLDER.glob("*.yml"))


def workflow(name: str) -> dict[str, Any]:
    """Read a workflow; YAML 1.2, so that its key `on` is not a boolean."""
    return dict(YAML(typ="safe", pure=True).load(Path(FOLDER / name)))


def steps(content: dict[str, Any]) -> list[dict[str, Any]]:
    """List the steps of all jobs of a workflow."""
    return [step for job in content["jobs"].values() for step in job["steps"]]


def commands(job: dict[str, Any]) -> list[str]:
    """List the lines that the steps of a job run, in their order."""
    return [line for step in job["steps"] for line in step.get("run", "").splitlines()]
