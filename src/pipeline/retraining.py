"""Retraining on data that is kept: what the lock names, or what made an older version."""

from contextlib import chdir
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from pipeline.dvc_process import dvc, repro, stale
from pipeline.errors import ConfigurationError, PipelineError
from pipeline.git import branch, changed, git
from pipeline.lineage import LOCK
from pipeline.parameters import PATH
from pipeline.publishing import Published, publish
from pipeline.registry import Registry
from pipeline.restoring import commit_of
from pipeline.worktrees import shared_cache, throw_away_worktree

SOURCE = "ingestion"
# The stages whose outputs are data; today's code of the second and third runs anew where it changed.
DATA = (SOURCE, "validation", "transformation")


def retrain_on_kept_data(read_source: bool) -> Published:
    """Situation A: fetch the data that the lock names, run the stages that the change touches, and publish.

    Raises:
        PipelineError: the data cannot be fetched; ingestion would run, and `read_source` does not allow it;
            a stage fails; or see `pipeline.publishing.publish`.
    """
    target = branch()
    dvc("pull", "--quiet")
    changes = stale()
    if SOURCE in changes and not read_source:
        raise PipelineError(
            "ingestion would read the source again, since its code, its parameters or the schema changed: "
            "allow it with --read-source, or undo that change"
        )
    repro()
    return publish(target)


def retrain_on_data_of(number: int, overrides: list[str]) -> Published:
    """Train with today's code and changed parameters on the exact data of an older version, and publish.

    It happens in a throw-away worktree of HEAD. The new version's commit is held by its tag alone: the
    branch keeps its data and its parameters.

    Args:
        number: the version whose data it is.
        overrides: changes of params.yaml, as `dvc exp run --set-param` takes them.

    Raises:
        PipelineError: the version or its data is not to be had, something here is not committed, a stage
            fails; or see `pipeline.publishing.publish`.
        ConfigurationError: an override cannot be applied.
    """
    source = Registry().version(number)
    commit = commit_of(source)
    if found := changed():
        raise PipelineError(f"not committed: {', '.join(sorted(found)[:3])}: commit or stash it first")
    with throw_away_worktree(git("rev-parse", "HEAD"), shared_cache()) as folder, chdir(folder):
        override(overrides)
        lock_data_of(commit)
        dvc("pull", "--quiet", *DATA)
        # The raw data stays, whatever ingestion's code and parameters have become since.
        dvc("commit", "--quiet", "--force", SOURCE)
        repro()
        return publish(None, source)


def override(overrides: list[str]) -> None:
    """Change params.yaml and commit it, so that the run knows the commit that it was made from.

    Raises:
        ConfigurationError: DVC cannot apply one, or there is no such parameter.
    """
    try:
        apply_overrides(PATH, overrides)
    except (DvcException, ValueError) as error:
        said = " ".join(str(error.__cause__ or error).split())
        raise ConfigurationError(f"--set-param {' '.join(overrides)}: {said}") from None
    if changed():
        git("commit", "--quiet", "--all", "--message", f"Set {', '.join(overrides)}")


def lock_data_of(commit: str) -> None:
    """Let the lock here name the data of a commit, in place of its own."""
    yaml = YAML(typ="safe", pure=True)
    there = yaml.load(git("show", f"{commit}:{LOCK}"))
    here: dict[str, Any] = yaml.load(LOCK)
    here["stages"] |= {stage: there["stages"][stage] for stage in DATA}
    with Path(LOCK).open("w", encoding="utf-8") as file:
        yaml.dump(here, file)
