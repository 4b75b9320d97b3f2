"""Checks that hold at any time for a team's servers: versions are restorable, nothing is half done."""

import json
from typing import Any

from pipeline.tracking.lineage import locked_outputs
from team import Team, registry

from ruamel.yaml import YAML


def check(team: Team) -> None:
    """Check that nothing is half-published.

    The Git remote names no data that S3 lacks, a registered version's commit is pushed under its tag, and
    the champion has passed the gate.
    """
    objects = {key.removeprefix("dvc/files/md5/").replace("/", "") for key in team.s3.objects()}
    remote = team.remote
    for ref in remote.git("for-each-ref", "--format=%(refname)").split():
        if remote.git("rev-parse", f"{ref}^{{commit}}").strip() == team.start:
            continue
        lock = YAML(typ="safe").load(remote.git("show", f"{ref}:dvc.lock"))
        for name in locked_outputs(lock).values():
            assert name in objects, ref
            assert {entry["md5"] for entry in _listing(team, name)} <= objects, ref
    for version in registry(team.project).versions():
        pushed = remote.git("rev-parse", f"{version.tag}^{{commit}}").strip()
        assert version.tags["git.commit"] == pushed
        if version.champion:
            assert version.decision is not None
            assert version.decision["promoted"]


def check_whole(team: Team) -> None:
    """Check that every pushed version is registered and decided on, and that no run left anything behind."""
    versions = registry(team.project).versions()
    assert team.tags() == {version.tag for version in versions}
    for version in versions:
        assert version.decision is not None
        assert ("promoted" in version.tags) == version.decision["promoted"]
    contents = [(version.tags["data.raw.md5"], version.tags["model.md5"]) for version in versions]
    assert len(set(contents)) == len(contents)
    assert team.project.git("status", "--porcelain") == ""
    assert team.project.git("worktree", "list").count("\n") == 1
    assert not list((team.project.root / ".dvc/tmp").glob("worktree-*"))


def _listing(team: Team, name: str) -> list[dict[str, Any]]:
    """Return the files that the object of a folder lists; none for a file."""
    if not name.endswith(".dir"):
        return []
    key = f"dvc/files/md5/{name[:2]}/{name[2:]}"
    found: list[dict[str, Any]] = json.loads(team.s3.read(key))
    return found
