"""The lineage of a version, and the versions of a hash: of their commit, or of data that they used."""

from typing import Any

from operations.git_and_dvc.dvc_remotes import files_of
from operations.git_and_dvc.git import git
from operations.versions.registry import Registry
from operations.versions.restoring import commit_of
from operations.versions.tags import tag_here
from operations.versions.version import COMPARISON, DATA_FROM, DRIFT, ROLLBACK, Version, number_of
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.tracking.lineage import LOCK, locked_outputs

from ruamel.yaml import YAML

# A shorter beginning matches unrelated hashes by chance.
SHORTEST = 6


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
    restore = f"git checkout {here} && dvc pull" if here else "only the clone that published it can"
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
        "bring_back": restore,
    }


def versions_with(versions: list[Version], beginning: str) -> list[Version]:
    """Return the versions with a hash that starts with `beginning`: of their commit or of an artifact.

    An artifact is a file or a folder in the version's dvc.lock: data, features or the model. Its hash is the
    md5 in dvc.lock or of `md5sum`.

    Raises:
        ConfigurationError: `beginning` has fewer than 6 characters.
        PipelineError: the tag of a version, or the list of its files, is missing.
    """
    if len(beginning) < SHORTEST:
        raise ConfigurationError(f"{beginning!r} is too short: give at least {SHORTEST} characters of a hash")
    # A tag, or the short hash of a tag object, also names a commit.
    commit = git("rev-parse", "--verify", "--quiet", f"{beginning}^{{commit}}", check=False)
    return [
        version
        for version in versions
        # The data of a local version is only in the clone that published it.
        if (not version.local or tag_here(version))
        and any(name == commit or name.startswith(beginning) for name in hashes(version))
    ]


def hashes(version: Version) -> set[str]:
    """Return the hashes of a version: of its commit, and of each folder and file in its lock."""
    commit = commit_of(version)
    locked = locked_outputs(YAML(typ="safe", pure=True).load(git("show", f"{commit}:{LOCK}")))
    with files_of(commit) as files:
        below = {
            str(entry["md5"])
            for path in locked
            for entry in files.find(path, detail=True).values()
            if entry.get("md5")
        }
    return {commit, *locked.values(), *below}
