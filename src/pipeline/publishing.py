"""Publishing: what `dvc repro` made here becomes a version, in steps that can be interrupted anywhere.

The order is what makes a version trustworthy: the data is on the remote before a commit names it, the
commit is pushed before a version names it, and the version exists before it can be champion. Run again,
each step finds what is done already.
"""

from dataclasses import dataclass
from pathlib import Path

import joblib
import pyarrow.parquet as pq
from dvc.api import DVCFileSystem

from pipeline.contract import load_contract
from pipeline.dvc_process import push_data, repro, stale
from pipeline.errors import PipelineError
from pipeline.evaluation import EvaluationParameters
from pipeline.features import read_side
from pipeline.git import GitError, branch, changed, git, has_remote, remote_tags
from pipeline.lineage import LOCK, locked_tags
from pipeline.outputs import MODEL, TEST, TRAIN
from pipeline.parameters import PATH, load
from pipeline.promotion import Decision, compare
from pipeline.registry import DECISION, Publication, Registry, Version, tag_of

RECIPE = {str(LOCK), str(PATH)}
CONTENT = ("data.raw.md5", "data.train.md5", "model.md5")


@dataclass(frozen=True)
class Published:
    """The version that holds this model, whether it is new, and what was decided of it."""

    version: int
    new: bool
    decision: Decision


def publish() -> Published:
    """Publish the workspace, or finish a publication that was interrupted.

    Raises:
        PipelineError: the workspace is not what its lock says, or Git, the remote or MLflow refuses; what
            was published by then is whole, and the rest as it was.
    """
    check_workspace()
    registry = Registry()
    finish_registrations(registry)
    tags = locked_tags()
    known = [version for version in registry.versions() if version.tags.get("model.md5") == tags["model.md5"]]
    if known:
        return Published(known[-1].number, False, decide(registry, known[-1]))
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
    publication = commit_and_push(registry, run, tags)
    registry.register(publication)
    return Published(publication.number, True, decide(registry, registry.version(publication.number)))


def check_workspace() -> None:
    """Refuse to publish what the lock does not describe.

    Raises:
        PipelineError: no branch is checked out, a stage has yet to run, or code is not committed.
    """
    branch()
    if found := stale():
        raise PipelineError(f"{', '.join(sorted(found))} changed since the last run: run 'dvc repro' first")
    if other := sorted(set(changed()) - RECIPE):
        raise PipelineError(
            f"not committed: {', '.join(other[:3])}: commit or remove it, then run 'dvc repro'"
        )


def finish_registrations(registry: Registry) -> None:
    """Register the versions whose commit and tag are pushed, but whose publication ended there."""
    registered = max((version.number for version in registry.versions()), default=0)
    for number in sorted(number for number in numbers() if number > registered):
        if has_remote():
            git("fetch", "--quiet", "origin", f"+refs/tags/{tag_of(number)}:refs/tags/{tag_of(number)}")
        message = git("for-each-ref", "--format=%(contents)", f"refs/tags/{tag_of(number)}")
        registry.register(Publication.read(message))


def numbers() -> list[int]:
    """Return the numbers of all published versions, from the tags."""
    found = (name.removeprefix("model-v") for name in remote_tags("model-v*"))
    return sorted(int(number) for number in found if number.isdecimal())


def commit_and_push(registry: Registry, run: str, tags: dict[str, str]) -> Publication:
    """Commit the lock and the parameters, tag the commit, and push both or neither.

    Raises:
        PipelineError: somebody was faster; commit and tag are undone.
    """
    number = max([0, *numbers(), *(version.number for version in registry.versions())]) + 1
    name, before = tag_of(number), git("rev-parse", "HEAD")
    if changed():
        git("add", "--", *sorted(RECIPE))
        git("commit", "--quiet", "--message", f"Model version {number}")
    commit = git("rev-parse", "HEAD")
    publication = Publication(number, run, tags | {"git.commit": commit, "git.tag": name})
    # A tag of this name is not on the remote: an interrupted publication left it.
    git("tag", "--force", "--annotate", name, "--message", publication.message())
    if has_remote():
        try:
            git("push", "--quiet", "--atomic", "origin", f"HEAD:refs/heads/{branch()}", f"refs/tags/{name}")
        except GitError as error:
            git("tag", "--delete", name)
            git("reset", "--quiet", "--soft", before)
            git("reset", "--quiet")
            raise PipelineError(
                f"{error}; nothing was published. If somebody was faster: 'git stash', 'git pull', "
                "'git stash pop', 'dvc repro', then publish again"
            ) from None
    return publication


def decide(registry: Registry, version: Version) -> Decision:
    """Compare a version with the champion and promote it if it is good enough; once, and it is kept.

    The workspace is that of the version.
    """
    if version.decision is not None:
        decision = Decision(**version.decision)
    else:
        champion = registry.champion()
        decision = first() if champion is None else challenge(registry, champion)
        registry.record(version.number, DECISION, decision.content())
    if decision.promoted and not version.tags.get("promoted"):
        registry.make_champion(version.number)
        registry.record(version.number, "promoted", True)
    return decision


def first() -> Decision:
    """The decision of a version that meets no champion: its evaluation passed the minimum."""
    return Decision(True, "the first version, and it passes evaluation.minimum")


def challenge(registry: Registry, champion: Version) -> Decision:
    """Compare the model of this workspace with the champion, on this workspace's holdout."""
    contract, evaluation = load_contract(), load("evaluation", EvaluationParameters)
    holdout = read_side(TEST)
    try:
        rival = registry.load_model(champion)
        return compare(
            joblib.load(MODEL),
            rival,
            champion.number,
            holdout,
            trained_on(champion, contract.id),
            contract,
            evaluation.slices,
        )
    except (KeyError, ValueError) as error:
        said = f"the champion cannot score this holdout ({type(error).__name__}): the schema has changed"
        return Decision(False, said, champion.number)


def trained_on(version: Version, id_column: str) -> set[str]:
    """Return the ids of the customers that a version was trained on, from the data that its tag names."""
    files = DVCFileSystem(str(Path.cwd()), rev=version.tags["git.commit"])
    found: set[str] = set()
    for path in files.find(str(TRAIN)):
        with files.open(path, "rb") as part:
            found.update(pq.read_table(part, columns=[id_column])[id_column].to_pylist())
    return found
