"""Finishes publications that were interrupted after their push, which is not undone."""

from operations.git_and_dvc.dvc_repository import pull
from operations.git_and_dvc.git import git
from operations.versions.publishing import Published, decided
from operations.versions.registration import finish_registrations
from operations.versions.registry import Registry
from operations.versions.version import DATA_FROM, number_of
from pipeline.config.errors import PipelineError


def finish(name: str, branch: str) -> Published:
    """Finish the publication of a Git tag, in a worktree of its commit, and return the result.

    A model of older data is compared with the champion on the branch's holdout.
    """
    registry = Registry()
    finish_registrations(registry)
    pull()
    # Search by commit: the tag may have been renamed to the number that MLflow gave.
    commit = git("rev-parse", "HEAD")
    version = next((known for known in registry.counting() if known.tags.get("git.commit") == commit), None)
    if version is None:
        raise PipelineError(f"{name} is no version of MLflow")
    source = registry.version(number_of(version.tags[DATA_FROM])) if DATA_FROM in version.tags else None
    return decided(registry, version, True, branch, source)
