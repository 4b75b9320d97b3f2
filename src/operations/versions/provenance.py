"""From a hash back to the versions: which of them is this commit, or used this file or folder."""

from operations.git_and_dvc.dvc_remotes import files_of
from operations.git_and_dvc.git import git
from operations.versions.restoring import commit_of
from operations.versions.tags import tag_here
from operations.versions.version import Version
from pipeline.config.errors import ConfigurationError
from pipeline.tracking.lineage import LOCK, locked_outputs

from ruamel.yaml import YAML

# Shorter ones are met by chance.
SHORTEST = 6


def versions_with(versions: list[Version], beginning: str) -> list[Version]:
    """Return the versions whose commit, or an artifact of whose lock, has a hash that begins so.

    An artifact is a file or a folder (its md5 as dvc.lock or `md5sum` tells it), of data, of features or
    the model.

    Raises:
        ConfigurationError: `beginning` has fewer than 6 characters.
        PipelineError: the tag of a version, or the list of its files, cannot be had.
    """
    if len(beginning) < SHORTEST:
        raise ConfigurationError(f"{beginning!r} is too short: give at least {SHORTEST} characters of a hash")
    # A tag, and the short hash that Git shows of one, name a commit too.
    commit = git("rev-parse", "--verify", "--quiet", f"{beginning}^{{commit}}", check=False)
    return [
        version
        for version in versions
        # What a local version of another clone holds is there alone.
        if (not version.local or tag_here(version))
        and any(name == commit or name.startswith(beginning) for name in hashes(version))
    ]


def hashes(version: Version) -> set[str]:
    """Return the hashes of a version: its commit, and of each folder and file that its lock names."""
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
