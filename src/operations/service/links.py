"""Where a run and a commit can be looked at, if they can be: URLs without credentials, or nothing."""

import re
from urllib.parse import quote

from operations.git_and_dvc.git import REMOTE, git
from operations.versions.version import Version
from pipeline.tracking.lineage import without_credentials
from pipeline.tracking.mlflow_store import tracking_store

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def run_url(version: Version) -> str | None:
    """Return the URL of a version's run in the MLflow UI; None if MLflow is not a server."""
    base = _public(tracking_store()[0], "http", "https")
    if not base or not version.run_id:
        return None
    return f"{base}/#/experiments/{quote(version.experiment, safe='')}/runs/{quote(version.run_id, safe='')}"


def commits_url() -> str | None:
    """Return what a commit's hash is put behind; None if the Git remote is no https URL, as a forge has."""
    base = _public(git("remote", "get-url", REMOTE, check=False), "https")
    return f"{base.removesuffix('.git')}/commit/" if base else None


def commit_url(commits: str | None, commit: str | None) -> str | None:
    """Return the URL of a commit; None if there is no forge, or if it is no hash of a commit."""
    return f"{commits}{commit}" if commits and commit and COMMIT.fullmatch(commit) else None


def _public(uri: str, *schemes: str) -> str | None:
    """Return a URI of one of the schemes without credentials; None for all others."""
    scheme, separator, _ = uri.partition("://")
    if not separator or scheme.lower() not in schemes:
        return None
    return without_credentials(uri).partition("#")[0].rstrip("/")
