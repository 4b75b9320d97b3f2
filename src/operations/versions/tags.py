"""The Git tags of versions: those of the team are on origin, those of local versions only in this clone."""

import sys
from collections.abc import Iterable

from operations.console import echo
from operations.git_and_dvc.git import REMOTE, git, remote_tags
from operations.versions.version import LOCAL, Publication, Version

# The tags of versions, and the prefix of local versions' tags once the clone publishes for the team.
PATTERN, ASIDE = "model-v*", "local/"
# The refspecs that Git fetches by default, and a pattern of those that exclude tags of local versions.
FETCHED, UNFETCHED = f"remote.{REMOTE}.fetch", r"^\^refs/tags/model-v"


def published(local: bool) -> dict[str, str]:
    """Return the commit of each version's tag: of local versions in this clone, or of versions on origin."""
    return local_tags() if local else remote_tags(PATTERN)


def local_tags(pattern: str = PATTERN) -> dict[str, str]:
    """Return the commit of each tag of a local version in this clone."""
    fields = "%(refname:lstrip=2)%00%(*objectname)%00%(contents:body)%00"
    words = git("for-each-ref", f"--format={fields}", f"refs/tags/{pattern}").split("\0")
    tags = zip(words[0::3], words[1::3], words[2::3], strict=False)
    return {name.strip(): commit for name, commit, body in tags if _is_local(body)}


def _is_local(message: str) -> bool:
    try:
        return LOCAL in Publication.read(message).tags
    except (ValueError, TypeError):
        return False


def numbers_of(names: Iterable[str]) -> list[int]:
    """Return the sorted numbers of versions' tags, with or without the prefix `local/`."""
    tags = (name.removeprefix(ASIDE).removeprefix("model-v") for name in names)
    return sorted(int(number) for number in tags if number.isdecimal())


def all_here() -> list[str]:
    """Return the names of all versions' tags in this clone, local or not."""
    places = (f"refs/tags/{PATTERN}", f"refs/tags/{ASIDE}{PATTERN}")
    return git("for-each-ref", "--format=%(refname:lstrip=2)", *places).splitlines()


def named_here(md5: str) -> bool:
    """Whether the tag of a version in this clone names a hash."""
    return md5 in git("for-each-ref", "--format=%(contents:body)", f"refs/tags/{PATTERN}")


def tags_anywhere() -> set[str]:
    """Return the names of all versions' tags, on origin and in this clone."""
    return {*remote_tags(PATTERN), *all_here()}


def tag_here(version: Version) -> str | None:
    """Return the tag of a local version, which may have been renamed; None if this clone has none."""
    commit = version.tags.get("git.commit", "")
    tags = git("tag", "--points-at", commit, "--list", version.tag, f"{ASIDE}{version.tag}*", check=False)
    # Sorted by name: the team's tag may be on the same commit.
    return next(iter(tags.splitlines()), None)


def fetch_tag(name: str, check: bool = True) -> None:
    """Fetch a tag from origin, after renaming a local version's tag of this name, which must not be lost."""
    move_aside(local_tags(name))
    git("fetch", "--quiet", "--no-tags", REMOTE, f"+refs/tags/{name}:refs/tags/{name}", check=check)


def move_aside(names: Iterable[str]) -> None:
    """Rename tags of local versions to `local/NAME`, which no version of the team uses."""
    for name in names:
        tag, aside = git("rev-parse", f"refs/tags/{name}"), f"{ASIDE}{name}"
        if git("rev-parse", "--verify", "--quiet", f"refs/tags/{aside}", check=False) not in {"", tag}:
            aside = f"{aside}-{tag[:10]}"
        # If the process is killed in between, the next run repeats both.
        git("update-ref", f"refs/tags/{aside}", tag)
        git("update-ref", "-d", f"refs/tags/{name}", tag)
        echo(f"the tag {name} of a local version is {aside} now: the team's have such names", sys.stderr)


def make_tag(publication: Publication, name: str, commit: str) -> None:
    """Make the annotated tag of a version, and replace one that an interrupted publication left."""
    git("tag", "--force", "--annotate", name, commit, "--message", publication.message())
    if LOCAL in publication.tags and git("config", "--get-all", FETCHED, check=False):
        # Without this, `git fetch --tags` fails as soon as the team has a version of this number.
        git("config", "--replace-all", FETCHED, f"^refs/tags/{name}", f"{UNFETCHED}{publication.number}$")
