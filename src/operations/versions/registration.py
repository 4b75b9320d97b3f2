"""From a pushed tag to a version in MLflow: the tag holds all that it takes, so anyone can finish it."""

from dataclasses import replace

from operations.git_and_dvc.git import REMOTE, git, has_remote, remote_tags
from operations.versions.registry import Registry
from operations.versions.version import REGISTERED, TAG, Publication, Version, tag_of
from pipeline.config.errors import PipelineError


def finish_registrations(registry: Registry) -> None:
    """Register the versions whose commit and tag are pushed, but whose publication ended there.

    Raises:
        PipelineError: this MLflow is not the one that they were published with.
    """
    for version in registry.versions():
        if version.tags.get(TAG, version.tag) != version.tag:
            follow_number(registry, version, version.tags[TAG])
    for publication in unregistered(registry):
        register(registry, publication)


def unregistered(registry: Registry) -> list[Publication]:
    """Return the publications that are pushed, but came to be no version of MLflow.

    They have a higher number than any version there. One that was a version was deleted, and stays so.

    Raises:
        PipelineError: this MLflow is not the one that they were published with.
    """
    registered = max((version.number for version in registry.versions()), default=0)
    found = []
    for name in (tag_of(number) for number in numbers() if number > registered):
        publication = publication_of(name)
        tags = registry.tags_of_run(publication.run_id)
        if tags is None:
            raise PipelineError(
                f"{name} was published with another MLflow than this one, which has not its run: "
                "set MLFLOW_TRACKING_URI to that one; nothing was changed"
            )
        if REGISTERED + name not in tags:
            found.append(publication)
    return found


def unfinished() -> list[str]:
    """Return the Git tags of the versions that are pushed, and not yet registered, compared or promoted.

    Raises:
        PipelineError: this MLflow is not the one that they were published with.
    """
    registry = Registry()
    versions = registry.versions()
    known = {version.tags.get(TAG) for version in versions}
    names = [tag_of(publication.number) for publication in unregistered(registry)]
    pushed = [name for name in names if name not in known]
    return [version.tags[TAG] for version in versions if TAG in version.tags and not whole(version)] + pushed


def whole(version: Version) -> bool:
    """Whether all steps of a version's publication were taken."""
    decision = version.decision
    if version.tags[TAG] != version.tag or decision is None:
        return False
    return not decision["promoted"] or "promoted" in version.tags


def register(registry: Registry, publication: Publication) -> int:
    """Register a publication, unless somebody has done so by now, and return the number of its version."""
    name = tag_of(publication.number)
    if name in {version.tags.get(TAG) for version in registry.versions()}:
        return publication.number
    number = registry.register(publication)
    while number < publication.number or taken(registry.version(number)):
        # The registered model was deleted, and MLflow counts anew: these numbers are those of older tags.
        registry.delete(number)
        number = registry.register(publication)
    if number == publication.number:
        return number
    if publication.number in {version.number for version in registry.versions()}:
        # Somebody else finished it at the same moment.
        registry.delete(number)
        return publication.number
    follow_number(registry, registry.version(number), name)
    return number


def follow_number(registry: Registry, version: Version, name: str) -> None:
    """Let the Git tag `name` follow the number that MLflow gave its version.

    MLflow never gives a number twice: after somebody registered a version by hand and deleted it, the next
    one has not the number that follows from the tags. One whose number is that of another version's tag was
    made by a `register` that was interrupted, and goes.
    """
    right = version.tag
    if taken(version):
        registry.delete(version.number)
        return
    if right not in remote_tags(right):
        publication = publication_of(name)
        moved = replace(publication, number=version.number, tags=publication.tags | {TAG: right})
        commit = publication.tags["git.commit"]
        git("tag", "--force", "--annotate", right, commit, "--message", moved.message())
        if has_remote():
            git("push", "--quiet", "--atomic", REMOTE, f"refs/tags/{right}", f":refs/tags/{name}")
    git("tag", "--delete", name, check=False)
    registry.record(version.number, TAG, right)


def taken(version: Version) -> bool:
    """Whether the Git tag of a version's number is on the remote and names another commit."""
    return remote_tags(version.tag).get(version.tag) not in {None, version.tags.get("git.commit")}


def publication_of(name: str) -> Publication:
    """Read the publication that a Git tag holds.

    Raises:
        PipelineError: somebody made the tag by hand.
    """
    if has_remote():
        git("fetch", "--quiet", REMOTE, f"+refs/tags/{name}:refs/tags/{name}")
    try:
        return Publication.read(git("for-each-ref", "--format=%(contents:body)", f"refs/tags/{name}"))
    except (ValueError, TypeError):
        raise PipelineError(
            f"the tag {name} was not made by publishing: delete it, here and on the remote, or rename it"
        ) from None


def numbers() -> list[int]:
    """Return the numbers of all published versions, from the tags."""
    found = (name.removeprefix("model-v") for name in remote_tags("model-v*"))
    return sorted(int(number) for number in found if number.isdecimal())
