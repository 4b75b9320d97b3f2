"""Markdown tables of untrusted texts."""

import html
import re
from collections.abc import Iterable, Iterator
from typing import Any


def table(titles: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """Yield the lines of a table; none without rows."""
    lines = [f"| {' | '.join(map(escaped, row))} |" for row in rows]
    if lines:
        yield f"| {' | '.join(titles)} |"
        yield f"|{' --- |' * len(titles)}"
        yield from lines


def escaped(value: Any) -> str:
    """Return a value as one line of literal Markdown text: no markup, no HTML, no link."""
    text = "-" if value is None else " ".join(str(value).split())
    return html.escape(re.sub(r"([\\`*~\[\]|]|(?<!\w)_|_(?!\w))", r"\\\1", text), quote=False)
