"""Compares this workspace with a commit, as a Markdown report for a pull request comment."""

import html
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from operations.git_and_dvc.dvc_remotes import files_of, remotes_here
from operations.git_and_dvc.dvc_repository import dvc_repository, refuse_stale
from operations.git_and_dvc.git import GitError, git
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.data.artifacts import METRICS, PLOTS
from pipeline.data.atomic import atomic_file
from pipeline.modelling.figure import draw

# The values "old" (at the base) and "new" (here) of each name, as in DVC's diff; None for a missing value.
Changes = dict[str, dict[str, Any]]


def write_report(base: str, output: Path) -> None:
    """Write the report of this workspace against `base`, with the plots of both as images beside it.

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
    here, there = output.with_name(f"{output.stem}.png"), output.with_name(f"{output.stem}-base.png")
    save(PLOTS, here)
    images = {"These plots": here.name}
    # An earlier report may have left the image of another base.
    there.unlink(missing_ok=True)
    if draw_base(commit, there):
        images["Those of the base"] = there.name
    with atomic_file(output) as partial:
        partial.write_text(markdown(f"{base} ({commit[:10]})", metrics, parameters, images), encoding="utf-8")


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
    """Check that the metrics and plots are here, and are those of the code and parameters here.

    Raises:
        PipelineError: one is missing or stale.
    """
    if missing := [str(path) for path in (METRICS, PLOTS) if not path.exists()]:
        raise PipelineError(f"{missing[0]} is not here: run 'dvc repro', or 'dvc pull' to fetch it")
    refuse_stale()


def differences(commit: str) -> tuple[dict[str, Changes], dict[str, Changes]]:
    """Return all metrics, and the changed parameters, of a commit and this workspace, by file."""
    with dvc_repository("metrics diff", config=remotes_here()) as repo:
        metrics, parameters = repo.metrics.diff(commit, all=True), repo.params.diff(commit)
    return metrics.get("diff", {}), parameters.get("diff", {})


def markdown(base: str, metrics: dict[str, Changes], parameters: dict[str, Changes], images: Any) -> str:
    """Return the report: scores, parameters, all other metrics (folded), and the images."""
    # The name of a score on a slice has dots, that of an overall score has none.
    scores = {name: pair for name, pair in metrics[str(METRICS)].items() if "." not in name}
    others = {
        f"{Path(path).stem}: {name}": pair
        for path, changes in metrics.items()
        for name, pair in changes.items()
        if not (path == str(METRICS) and name in scores) and pair["old"] != pair["new"]
    }
    changed = {name: pair for changes in parameters.values() for name, pair in changes.items()}
    known = any(pair["old"] is not None for pair in scores.values())
    lines = ["# Report", "", f"This workspace against {cell(base)}.", "", "## Scores", ""]
    if not known:
        lines += ["The scores of the base are neither in this cache nor on the remote: no comparison.", ""]
    lines += table("score", scores)
    lines += ["", "## Parameters", ""]
    lines += table("parameter", changed) if changed else ["No parameter changed."]
    lines += ["", "## Other metrics", ""]
    if not known or not others:
        lines += ["No other metric changed." if known else "See `dvc metrics show`."]
    else:
        lines += ["<details>", f"<summary>{len(others)} changed</summary>", ""]
        lines += [*table("metric", others), "", "</details>"]
    lines += ["", "## Plots"]
    for title, name in images.items():
        # The name helps where the image cannot be shown.
        lines += ["", f"{title}, `{name}`:", "", f"![{title}, in {name}]({name})"]
    if len(images) == 1:
        lines += ["", "The plots of the base are neither in this cache nor on the remote."]
    return "\n".join(lines) + "\n"


def table(title: str, changes: Changes) -> list[str]:
    """Return the lines of a table, sorted by name."""
    rows = [
        (name, pair.get("old"), pair.get("new"), difference(pair.get("old"), pair.get("new")))
        for name, pair in sorted(changes.items())
    ]
    return [line((title, "base", "here", "change")), "| --- | --- | --- | --- |", *map(line, rows)]


def line(cells: Iterable[Any]) -> str:
    """Return one line of a table."""
    return f"| {' | '.join(map(cell, cells))} |"


def cell(value: Any) -> str:
    """Return a value as the text of a table cell: on one line, with markup escaped."""
    text = "-" if value is None else " ".join(str(value).split())
    return html.escape(text, quote=False).replace("|", "\\|")


def difference(old: Any, new: Any) -> str:
    """Return how much a number changed, with its sign; empty for other values."""
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in (old, new)):
        return ""
    return f"{new - old:+.6f}".rstrip("0").rstrip(".") if new != old else "0"


def draw_base(commit: str, image: Path) -> bool:
    """Draw the plots of a commit, from the cache or the remote; return whether they were found."""
    with TemporaryDirectory() as folder:
        plots = Path(folder) / "plots"
        try:
            with files_of(commit) as files:
                files.get(str(PLOTS), str(plots), recursive=True)
            save(plots, image)
        except (PipelineError, KeyError, ValueError, TypeError):
            # An older version of the project may have written plots in another format.
            return False
    return True


def save(plots: Path, image: Path) -> None:
    """Draw a folder of plots into a PNG; the same plots give the same bytes."""
    with atomic_file(image) as partial:
        draw(plots).savefig(partial, format="png", metadata={"Software": None})
