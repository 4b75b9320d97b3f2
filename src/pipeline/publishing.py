"""Publishing: what `dvc repro` made here becomes a version, in steps that can be interrupted anywhere.

The order is what makes a version trustworthy: the data is on the remote before a commit names it, the
commit is pushed before a version names it, and the version exists before it can be champion. Run again,
each step finds what is done already.
"""

from dataclasses import dataclass, replace

from pipeline.dvc_process import push_data, repro, stale
from pipeline.errors import PipelineError
from pipeline.gate import compare_with_source, decide
from pipeline.git import REMOTE, GitError, changed, git, has_remote, remote_tags
from pipeline.lineage import LOCK, locked_tags
from pipeline.parameters import PATH
from pipeline.promotion import Decision
from pipeline.registry import DATA_FROM, Publication, Registry, Version, tag_of

RECIPE = {str(LOCK), str(PATH)}
TAG = "git.tag"
CONTENT = ("data.raw.md5", "data.train.md5", "model.md5")


@dataclass(frozen=True)
class Published:
    """The version that holds this model, whether it is new, what was decided of it, and beside its source."""

    version: int
    new: bool
    decision: Decision
    comparison: Decision | None = None


def publish(branch: str | None, source: Version | None = None) -> Published:
    """Publish the workspace on a branch, or finish a publication that was interrupted.

    Where the data is that of an older version, `source`, the branch has gone another way: then it is None,
    and the version is a commit that its tag alone holds.

    Raises:
        PipelineError: the workspace is not what its lock says, or Git, the remote or MLflow refuses; what
            was published by then is whole, and the rest as it was.
    """
    check_workspace()
    registry = Registry()
    finish_registrations(registry)
    tags = locked_tags() | ({DATA_FROM: source.tag} if source else {})
    current = git("rev-parse", "HEAD")
    known = [version for version in registry.versions() if version.tags.get("model.md5") == tags["model.md5"]]
    if known:
        return decided(registry, known[-1], False, current, source)
    run = registry.run_of({name: tags[name] for name in CONTENT})
    if run is None:
        # The model came from a cache, or from another MLflow server: evaluating it again logs it.
        repro("--force", "--single-item", "evaluation")
        run = registry.run_of({name: tags[name] for name in CONTENT})
    if run is None:
        raise PipelineError(
            "MLflow has no run of this model, also after its evaluation: is it the same server?"
        )
    push_data()
    publication = commit_and_push(registry, run, tags, branch)
    number = register(registry, publication)
    return decided(registry, registry.version(number), True, current, source)


def decided(
    registry: Registry, version: Version, new: bool, current: str, source: Version | None
) -> Published:
    """Let a version meet the champion, and the version that its data came from.

    The current holdout is that of the branch for a model of older data, and else the workspace's own.
    """
    decision = decide(registry, version, current if source else None)
    comparison = compare_with_source(registry, version, source) if source else None
    return Published(version.number, new, decision, comparison)


def check_workspace() -> None:
    """Refuse to publish what the lock does not describe.

    Raises:
        PipelineError: a stage has yet to run, or code is not committed.
    """
    if found := stale():
        raise PipelineError(f"{', '.join(sorted(found))} changed since the last run: run 'dvc repro' first")
    if other := sorted(set(changed()) - RECIPE):
        raise PipelineError(
            f"not committed: {', '.join(other[:3])}: commit or remove it, then run 'dvc repro'"
        )


def finish_registrations(registry: Registry) -> None:
    """Register the versions whose commit and tag are pushed, but whose publication ended there."""
    for version in registry.versions():
        if version.tags.get(TAG, version.tag) != version.tag:
            follow_number(registry, version.number, version.tags[TAG])
    registered = max((version.number for version in registry.versions()), default=0)
    for number in sorted(number for number in numbers() if number > registered):
        register(registry, publication_of(tag_of(number)))


def register(registry: Registry, publication: Publication) -> int:
    """Register a publication, and return the number of its version."""
    number = registry.register(publication)
    if number != publication.number:
        follow_number(registry, number, tag_of(publication.number))
    return number


def follow_number(registry: Registry, number: int, name: str) -> None:
    """Let the Git tag `name` follow the number that MLflow gave its version.

    MLflow never gives a number twice: after its newest version was deleted there, the next one has not the
    number that follows from the tags.
    """
    right = tag_of(number)
    if right not in remote_tags(right):
        publication = publication_of(name)
        moved = replace(publication, number=number, tags=publication.tags | {TAG: right})
        git(
            "tag",
            "--force",
            "--annotate",
            right,
            publication.tags["git.commit"],
            "--message",
            moved.message(),
        )
        if has_remote():
            git("push", "--quiet", "--atomic", REMOTE, f"refs/tags/{right}", f":refs/tags/{name}")
    git("tag", "--delete", name, check=False)
    registry.record(number, TAG, right)


def publication_of(name: str) -> Publication:
    """Read the publication that a Git tag holds."""
    if has_remote():
        git("fetch", "--quiet", REMOTE, f"+refs/tags/{name}:refs/tags/{name}")
    return Publication.read(git("for-each-ref", "--format=%(contents)", f"refs/tags/{name}"))


def numbers() -> list[int]:
    """Return the numbers of all published versions, from the tags."""
    found = (name.removeprefix("model-v") for name in remote_tags("model-v*"))
    return sorted(int(number) for number in found if number.isdecimal())


def commit_and_push(registry: Registry, run: str, tags: dict[str, str], branch: str | None) -> Publication:
    """Commit the lock and the parameters, tag the commit, and push the tag and the branch, both or neither.

    Raises:
        PipelineError: somebody was faster; commit and tag are undone.
    """
    number = max([0, *numbers(), *(version.number for version in registry.versions())]) + 1
    name, before = tag_of(number), git("rev-parse", "HEAD")
    if changed():
        git("add", "--", *sorted(RECIPE))
        git("commit", "--quiet", "--message", f"Model version {number}")
    commit = git("rev-parse", "HEAD")
    publication = Publication(number, run, tags | {"git.commit": commit, TAG: name})
    # A tag of this name is not on the remote: an interrupted publication left it.
    git("tag", "--force", "--annotate", name, "--message", publication.message())
    if has_remote():
        try:
            heads = [f"HEAD:refs/heads/{branch}"] if branch else []
            git("push", "--quiet", "--atomic", REMOTE, *heads, f"refs/tags/{name}")
        except GitError as error:
            git("tag", "--delete", name)
            git("reset", "--quiet", "--soft", before)
            git("reset", "--quiet")
            raise PipelineError(
                f"{error}; nothing was published. If somebody was faster: 'git stash', 'git pull', "
                "'git stash pop', 'dvc repro', then publish again"
            ) from None
    return publication
