"""Registers published tags as versions in MLflow. A tag holds all the data for it, so any clone can do it."""

import sys
from dataclasses import replace

from operations.console import echo
from operations.git_and_dvc.git import REMOTE, git
from operations.versions.registry import Registry
from operations.versions.tags import (
    FETCHED,
    UNFETCHED,
    fetch_tag,
    local_tags,
    make_tag,
    move_aside,
    numbers_of,
    published,
)
from operations.versions.version import LOCAL, REGISTERED, TAG, Publication, Version, tag_of


def opened_registry() -> Registry:
    """Return the registry, after renaming the tags of local versions that the team's versions need."""
    registry = Registry()
    move_local_tags_aside(registry)
    return registry


def finish_registrations(registry: Registry) -> None:
    """Register the versions whose publication was interrupted after commit and tag were published.

    A tag that was published with another MLflow is reported and left out.
    """
    move_local_tags_aside(registry)
    for version in registry.counting():
        if version.tags.get(TAG, version.tag) != version.tag:
            follow_number(registry, version, version.tags[TAG])
    publications, left_out = unregistered(registry)
    for name, reason in left_out.items():
        echo(f"pipeline: {reason}; {ways_out(registry, name)}", sys.stderr)
    for publication in publications:
        register(registry, publication)


def move_local_tags_aside(registry: Registry) -> None:
    """Rename the tags of local versions once this clone publishes for the team, to free their names."""
    names, unfetched = local_tags(), git("config", "--get-all", FETCHED, UNFETCHED, check=False)
    if (names or unfetched) and registry.unshared is None:
        move_aside(names)
        git("config", "--unset-all", FETCHED, UNFETCHED, check=False)


def unregistered(registry: Registry) -> tuple[list[Publication], dict[str, str]]:
    """Return the published tags without a version in MLflow, and the tags to leave out with the reason.

    Only numbers above all registered versions count. A version that was deleted stays deleted.
    """
    registered = max((version.number for version in registry.counting()), default=0)
    publications, left_out = [], {}
    for name in (tag_of(number) for number in numbers(registry) if number > registered):
        publication = publication_of(registry, name)
        if publication is None:
            left_out[name] = f"the tag {name} ({made_by(name)}) was not made by publishing, and is left out"
            continue
        if LOCAL in publication.tags and registry.unshared is None:
            left_out[name] = f"the tag {name} ({made_by(name)}) is of a local version, and is left out"
            # It came from another clone. Here it would look like a local version of this clone.
            git("tag", "--delete", name)
            continue
        run = registry.run(publication.run_id)
        if run is None:
            left_out[name] = f"{name} ({made_by(name)}) was published with another MLflow, and is left out"
        elif REGISTERED + name not in run.data.tags:
            publications.append(publication)
    return publications, left_out


def made_by(name: str) -> str:
    """Return who made a tag and when; for a lightweight tag, who made its commit."""
    fields = "%(taggername)%(committername), %(creatordate:short)"
    return git("for-each-ref", f"--format={fields}", f"refs/tags/{name}")


def ways_out(registry: Registry, name: str) -> str:
    """Return what to do about a tag that is left out."""
    remote = "" if registry.unshared else f"git push --delete {REMOTE} {name} && "
    return f"set MLFLOW_TRACKING_URI to its MLflow, or delete the tag: '{remote}git tag --delete {name}'"


def unfinished() -> list[str]:
    """Return the Git tags of published versions that are not yet registered, compared or promoted."""
    registry = Registry()
    versions = registry.counting()
    known = {version.tags.get(TAG) for version in versions}
    names = [tag_of(publication.number) for publication in unregistered(registry)[0]]
    pushed = [name for name in names if name not in known]
    return [
        version.tags[TAG] for version in versions if TAG in version.tags and not is_complete(version)
    ] + pushed


def is_complete(version: Version) -> bool:
    """Whether all steps of a version's publication are done."""
    return version.tags[TAG] == version.tag and version.settled


def register(registry: Registry, publication: Publication) -> int:
    """Register a publication, unless another process has done so, and return its version's number."""
    name = tag_of(publication.number)
    if name in {version.tags.get(TAG) for version in registry.counting()}:
        return publication.number
    number = registry.register(publication)
    while number < publication.number or taken(registry, registry.version(number)):
        # The registered model was deleted, and MLflow counts from 1 again: these numbers have older tags.
        registry.delete(number)
        number = registry.register(publication)
    if number == publication.number:
        return number
    if publication.number in {version.number for version in registry.counting()}:
        # Another process registered it at the same time.
        registry.delete(number)
        return publication.number
    follow_number(registry, registry.version(number), name)
    return number


def follow_number(registry: Registry, version: Version, name: str) -> None:
    """Rename the Git tag `name` to the number that MLflow gave its version.

    MLflow never reuses a number. If a version was registered by hand and deleted, the next number is not the
    one that follows from the tags. A version with the number of another version's tag comes from an
    interrupted `register`, and is deleted.
    """
    right, local = version.tag, registry.unshared is not None
    if taken(registry, version):
        registry.delete(version.number)
        return
    publication = publication_of(registry, name) if right not in published(local) else None
    if publication:
        moved = replace(publication, number=version.number, tags=publication.tags | {TAG: right})
        make_tag(moved, right, publication.tags["git.commit"])
        if not local:
            git("push", "--quiet", "--atomic", REMOTE, f"refs/tags/{right}", f":refs/tags/{name}")
    git("tag", "--delete", name, check=False)
    registry.record(version.number, TAG, right)


def taken(registry: Registry, version: Version) -> bool:
    """Whether the Git tag of a version's number is published and names another commit."""
    tags = published(registry.unshared is not None)
    return tags.get(version.tag) not in {None, version.tags.get("git.commit")}


def publication_of(registry: Registry, name: str) -> Publication | None:
    """Return the publication in a published Git tag; None if publishing did not make the tag."""
    if registry.unshared is None:
        fetch_tag(name)
    try:
        return Publication.read(git("for-each-ref", "--format=%(contents:body)", f"refs/tags/{name}"))
    except (ValueError, TypeError):
        return None


def numbers(registry: Registry) -> list[int]:
    """Return the numbers of all published versions, from the tags."""
    return numbers_of(published(registry.unshared is not None))
