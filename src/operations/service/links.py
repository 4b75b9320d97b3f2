"""Links to runs and commits, without credentials."""

import re
from urllib.parse import quote, unquote, urlsplit

from operations.git_and_dvc.git import REMOTE, git
from operations.versions.version import Version
from pipeline.data.artifacts import REPORT
from pipeline.tracking.lineage import without_credentials
from pipeline.tracking.mlflow_store import tracking_store

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def run_url(version: Version) -> str | None:
    """Return the URL of a version's run in the MLflow UI; None if MLflow is not a server."""
    base = _public(tracking_store()[0], "http", "https")
    if not base or not version.run_id:
        return None
    return f"{base}/#/experiments/{quote(version.experiment, safe='')}/runs/{quote(version.run_id, safe='')}"


def report_link(version: Version) -> str | None:
    """Return where the report of a version's run is: a URL of the MLflow UI, or a path; None if unknown."""
    if url := run_url(version):
        return f"{url}/artifacts/{REPORT.name}"
    folder = urlsplit(version.artifacts)
    return f"{unquote(folder.path)}/{REPORT.name}" if folder.scheme == "file" else None


def commits_url() -> str | None:
    """Return the URL of commits, to append a hash to; None unless the Git remote is an https URL."""
    base = _public(git("remote", "get-url", REMOTE, check=False), "https")
    return f"{base.removesuffix('.git')}/commit/" if base else None


def commit_url(commits: str | None, commit: str | None) -> str | None:
    """Return the URL of a commit; None without a URL of commits, or if it is not a commit's hash."""
    return f"{commits}{commit}" if commits and commit and COMMIT.fullmatch(commit) else None


def _public(uri: str, *schemes: str) -> str | None:
    """Return a URI without credentials if it has one of the schemes, else None."""
    scheme, separator, _ = uri.partition("://")
    if not separator or scheme.lower() not in schemes:
        return None
    return without_credentials(uri).partition("#")[0].rstrip("/")
