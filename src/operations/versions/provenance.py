"""Finds the versions of a hash: of their commit, or of a file or folder that they used."""

from operations.git_and_dvc.dvc_remotes import files_of
from operations.git_and_dvc.git import git
from operations.versions.commits import commit_of
from operations.versions.tags import tag_here
from operations.versions.version import Version
from pipeline.config.errors import ConfigurationError
from pipeline.tracking.lineage import LOCK, locked_outputs

from ruamel.yaml import YAML

# A shorter beginning matches unrelated hashes by chance.
SHORTEST = 6


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
