"""Finishes publications that were interrupted after their push: from there the way is forward."""

from pipeline.dvc_process import dvc
from pipeline.publishing import decided
from pipeline.registration import finish_registrations, numbers
from pipeline.registry import Registry
from pipeline.versions import DATA_FROM, TAG, Version, number_of, tag_of


def unfinished() -> list[str]:
    """Return the Git tags of the versions that are pushed, and not yet registered, compared or promoted."""
    versions = Registry().versions()
    known = {version.tags.get(TAG) for version in versions}
    newest = max((version.number for version in versions), default=0)
    pushed = [tag_of(number) for number in numbers() if number > newest and tag_of(number) not in known]
    return [version.tags[TAG] for version in versions if TAG in version.tags and not whole(version)] + pushed


def whole(version: Version) -> bool:
    """Whether all steps of a version's publication were taken."""
    decision = version.decision
    if version.tags[TAG] != version.tag or decision is None:
        return False
    return not decision["promoted"] or "promoted" in version.tags


def finish(name: str, branch: str) -> int:
    """Finish the publication of a Git tag, in a worktree of its commit, and return the version's number.

    A model of older data meets the champion on the holdout that the branch names.
    """
    registry = Registry()
    finish_registrations(registry)
    dvc("pull")
    version = next(each for each in registry.versions() if each.tags.get(TAG) == name or each.tag == name)
    source = registry.version(number_of(version.tags[DATA_FROM])) if DATA_FROM in version.tags else None
    decided(registry, version, False, branch, source)
    return version.number
