"""Compares this workspace with a commit, as a Markdown report for a pull request comment."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from operations.git_and_dvc.dvc_remotes import files_of, remotes_here
from operations.git_and_dvc.dvc_repository import dvc_repository, refuse_stale
from operations.git_and_dvc.git import GitError, git
from operations.versions.markdown import escaped, table
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.data.artifacts import METRICS, REPORT, SLICES, VALIDATION_REPORT
from pipeline.data.atomic import atomic_file
from pipeline.tracking.names import flat

# Compared too, but no DVC metrics: with one value for each column and slice, they would hide the scores.
BESIDE = (VALIDATION_REPORT, SLICES)
# The values "old" (at the base) and "new" (here) of each name, as in DVC's diff; None for a missing value.
Changes = dict[str, dict[str, Any]]


def write_report(base: str, output: Path) -> None:
    """Write the report of this workspace against `base`, with the evaluation's page of both beside it.

    If the outputs of the base are in no cache and on no remote, the report states that and shows the rest.

    Raises:
        PipelineError: the metrics here are missing or stale, or there is no commit `base`.
        ConfigurationError: `output` is not a Markdown file in an existing folder.
    """
    if output.suffix != ".md" or not output.parent.is_dir():
        raise ConfigurationError(f"{output}: --output is a file ending in .md, in a folder that exists")
    commit = base_commit(base)
    check_workspace()
    metrics, parameters = differences(commit)
    here, there = output.with_suffix(".html"), output.with_name(f"{output.stem}-base.html")
    with atomic_file(here) as partial:
        shutil.copyfile(REPORT, partial)
    pages = {"This workspace": here.name}
    # An earlier report may have left the page of another base.
    there.unlink(missing_ok=True)
    before = copy_base(commit, there)
    if before is not None:
        pages["The base"] = there.name
        for path, old in before.items():
            new = flat(json.loads(path.read_text(encoding="utf-8")))
            metrics[str(path)] = {name: {"old": old.get(name), "new": new.get(name)} for name in old | new}
    with atomic_file(output) as partial:
        partial.write_text(markdown(f"{base} ({commit[:10]})", metrics, parameters, pages), encoding="utf-8")


def base_commit(base: str) -> str:
    """Return the commit that a name stands for.

    Raises:
        PipelineError: this clone has no such commit.
    """
    try:
        return git("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
    except GitError:
        raise PipelineError(
            f"there is no commit '{base}' here: 'git fetch', or name another with --base"
        ) from None


def check_workspace() -> None:
    """Check that metrics, slices and page are here, and are those of the code and parameters here.

    Raises:
        PipelineError: one is missing or stale.
    """
    if missing := [str(path) for path in (METRICS, SLICES, REPORT) if not path.exists()]:
        raise PipelineError(f"{missing[0]} is not here: run 'dvc repro', or 'dvc pull' to fetch it")
    refuse_stale()


def differences(commit: str) -> tuple[dict[str, Changes], dict[str, Changes]]:
    """Return all metrics, and the changed parameters, of a commit and this workspace, by file."""
    with dvc_repository("metrics diff", config=remotes_here()) as repo:
        metrics, parameters = repo.metrics.diff(commit, all=True), repo.params.diff(commit)
    return metrics.get("diff", {}), parameters.get("diff", {})


def markdown(base: str, metrics: dict[str, Changes], parameters: dict[str, Changes], pages: Any) -> str:
    """Return the report: scores, parameters, all other metrics (folded), and links to the pages."""
    scores = metrics[str(METRICS)]
    others = {
        f"{Path(path).stem}: {name}": pair
        for path, changes in metrics.items()
        for name, pair in changes.items()
        if path != str(METRICS) and pair["old"] != pair["new"]
    }
    changed = {name: pair for changes in parameters.values() for name, pair in changes.items()}
    known = any(pair["old"] is not None for pair in scores.values())
    lines = ["# Report", "", f"This workspace against {escaped(base)}.", "", "## Scores", ""]
    if not known:
        lines += ["The scores of the base are neither in this cache nor on the remote: no comparison.", ""]
    lines += compared("score", scores)
    lines += ["", "## Parameters", ""]
    lines += compared("parameter", changed) if changed else ["No parameter changed."]
    lines += ["", "## Other metrics", ""]
    if not known or not others:
        lines += ["No other metric changed." if known else "See `dvc metrics show`."]
    else:
        lines += ["<details>", f"<summary>{len(others)} changed</summary>", ""]
        lines += [*compared("metric", others), "", "</details>"]
    lines += ["", "## Curves, slices and data", ""]
    lines += [f"- {title}: [{name}]({name})" for title, name in pages.items()]
    if len(pages) == 1:
        lines += ["", "The page of the base is neither in this cache nor on the remote."]
    return "\n".join(lines) + "\n"


def compared(title: str, changes: Changes) -> Iterator[str]:
    """Yield the lines of a table of the values at the base and here, sorted by name."""
    rows = [
        (name, pair.get("old"), pair.get("new"), difference(pair.get("old"), pair.get("new")))
        for name, pair in sorted(changes.items())
    ]
    yield from table((title, "base", "here", "change"), rows)


def difference(old: Any, new: Any) -> str:
    """Return how much a number changed, with its sign; empty for other values."""
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in (old, new)):
        return ""
    return f"{new - old:+.6f}".rstrip("0").rstrip(".") if new != old else "0"


def copy_base(commit: str, page: Path) -> dict[Path, dict[str, Any]] | None:
    """Copy the report of a commit, from the cache or the remote, to `page`; return the values of `BESIDE`.

    None if they are not found.
    """
    try:
        with files_of(commit) as files, atomic_file(page) as partial:
            files.get(str(REPORT), str(partial))
            return {path: flat(json.loads(files.cat_file(str(path)))) for path in BESIDE}
    except (PipelineError, KeyError, ValueError, TypeError):
        # An older version of the project wrote other files.
        return None
