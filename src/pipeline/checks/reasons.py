"""Counts the reasons for rejected documents by column."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pipeline.config.errors import PipelineError

EXAMPLES, DISTINCT = 3, 1_000


class Reasons:
    """The reasons for rejected documents, by column, with up to `DISTINCT` texts of each as examples."""

    def __init__(self) -> None:
        self._columns: Counter[str] = Counter()
        self._texts: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def read(self, path: Path) -> int:
        """Add the reasons in a rejected/*.jsonl file and return the number of its documents."""
        documents = 0
        try:
            with path.open(encoding="utf-8") as lines:
                for line in lines:
                    documents += 1
                    for reason in json.loads(line)["reasons"]:
                        self.add(reason)
        except FileNotFoundError:
            raise PipelineError(f"{path} is missing: run 'dvc repro', or 'dvc pull' to fetch it") from None
        return documents

    def add(self, reason: str) -> None:
        """Count a reason, whose text begins with the name of its column."""
        column, _, text = reason.partition(":")
        texts, short = self._texts[column], " ".join(text.split())[:80]
        self._columns[column] += 1
        if short in texts or len(texts) < DISTINCT:
            texts[short] += 1

    def by_column(self) -> Iterator[tuple[str, int, list[str]]]:
        """Yield each column, its number of rejections and its most common reasons, the worst first."""
        for column, count in sorted(self._columns.items(), key=lambda pair: (-pair[1], pair[0])):
            commonest = sorted(self._texts[column].items(), key=lambda pair: (-pair[1], pair[0]))
            yield column, count, [text for text, _ in commonest[:EXAMPLES]]

    def worst_columns(self) -> str:
        """Return the three columns with the most rejections, with their most common reasons."""
        return ", ".join(
            f"{column} {count:,} times ({'; '.join(examples)})"
            for column, count, examples in islice(self.by_column(), 3)
        )
