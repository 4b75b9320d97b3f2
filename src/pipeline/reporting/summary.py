"""The summary of an evaluation: a table in a terminal, plain lines elsewhere."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.config.stores import stores_root
from pipeline.data.artifacts import METRICS, REPORT
from pipeline.reporting.texts import TITLES
from pipeline.tracking.lineage import committed_file


def print_summary(metrics: dict[str, Any], validation: dict[str, Any], good: bool) -> None:
    """Print the scores beside those of the last commit, rows, threshold, path of the report, next step.

    `good`: the model has the minimum scores. The function never raises, so that it cannot fail the stage.
    """
    try:
        before = json.loads(committed_file(METRICS) or "{}")
        rows = [*compared(metrics, before)]
        if sys.stdout.isatty():
            _print_table(rows, bool(before))
        else:
            print(f"evaluation: {plain(rows, bool(before))}")
        for line in facts(metrics, validation, good):
            print(f"evaluation: {line}")
    except Exception as error:  # noqa: BLE001 - no error of the last commit or the terminal matters
        print(f"evaluation: no summary ({type(error).__name__}); the scores are in {METRICS}")


def compared(metrics: dict[str, Any], before: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield the title, the score, the committed score and the change of each score."""
    for name, title in TITLES.items():
        new, old = metrics[name], before.get(name)
        if old is None:
            yield title, f"{new:.4f}", "", ""
        else:
            yield title, f"{new:.4f}", f"{old:.4f}", f"{new - old:+.4f}" if new != old else "same"


def plain(rows: list[tuple[str, str, str, str]], known: bool) -> str:
    """Return the scores on one line, each with its change."""
    scores = ", ".join(f"{title} {new}{change and f' ({change})'}" for title, new, _, change in rows)
    against = (
        "changes since the last commit"
        if known
        else "not compared: no scores of the last commit in the cache"
    )
    return f"{scores}; {against}"


def facts(metrics: dict[str, Any], validation: dict[str, Any], good: bool) -> Iterator[str]:
    """Yield the rows, the threshold, the path of the report, and the next step."""
    rejected = validation["read"] - validation["accepted"]
    yield (
        f"{validation['read']:,} documents read, {rejected:,} rejected; {metrics['rows']:,} test rows, "
        f"threshold {metrics['threshold']:.4g}"
    )
    yield f"report: {REPORT}"
    # A retrain, in its throw-away worktree, continues by itself.
    if good and stores_root() == Path.cwd().resolve():
        yield "next: open the report in a browser; 'pipeline publish' publishes the model"


def _print_table(rows: list[tuple[str, str, str, str]], known: bool) -> None:
    # Imported here, since it takes a tenth of a second.
    from rich.console import Console
    from rich.table import Table

    table = Table("score", *(["now", "committed", "change"] if known else ["now"]))
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*(row if known else row[:2]))
    Console().print(table)
