"""Finishes publications that were interrupted after their push: from there the way is forward."""

from pipeline.dvc_process import dvc
from pipeline.versions.publishing import Published, decided
from pipeline.versions.registration import finish_registrations
from pipeline.versions.registry import Registry
from pipeline.versions.version import DATA_FROM, TAG, number_of


def finish(name: str, branch: str) -> Published:
    """Finish the publication of a Git tag, in a worktree of its commit, and return what came of it.

    A model of older data meets the champion on the holdout that the branch names.
    """
    registry = Registry()
    finish_registrations(registry)
    dvc("pull")
    version = next(each for each in registry.versions() if each.tags.get(TAG) == name or each.tag == name)
    source = registry.version(number_of(version.tags[DATA_FROM])) if DATA_FROM in version.tags else None
    return decided(registry, version, True, branch, source)
