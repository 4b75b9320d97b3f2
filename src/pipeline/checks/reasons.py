"""Why documents were rejected, counted by column."""

import json
from collections import Counter, defaultdict
from pathlib import Path

from pipeline.config.errors import PipelineError

EXAMPLES, DISTINCT = 3, 1_000


class Reasons:
    """Why documents were rejected, by column; of many different texts, `DISTINCT` are kept for examples."""

    def __init__(self) -> None:
        self._columns: Counter[str] = Counter()
        self._texts: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def read(self, path: Path) -> int:
        """Add the reasons in a rejected/*.jsonl file and return the number of its documents.

        Raises:
            PipelineError: there is no such file.
        """
        documents = 0
        try:
            with path.open(encoding="utf-8") as lines:
                for line in lines:
                    documents += 1
                    for reason in json.loads(line)["reasons"]:
                        self._add(reason)
        except FileNotFoundError:
            raise PipelineError(f"{path} is missing: run 'dvc repro', or 'dvc pull' to fetch it") from None
        return documents

    def _add(self, reason: str) -> None:
        column, _, text = reason.partition(":")
        texts, said = self._texts[column], " ".join(text.split())[:80]
        self._columns[column] += 1
        if said in texts or len(texts) < DISTINCT:
            texts[said] += 1

    def worst_columns(self) -> str:
        """Name the three columns with the most rejections, with the commonest reasons."""
        said = []
        for column, count in sorted(self._columns.items(), key=lambda pair: (-pair[1], pair[0]))[:3]:
            commonest = sorted(self._texts[column].items(), key=lambda pair: (-pair[1], pair[0]))
            examples = "; ".join(text for text, _ in commonest[:EXAMPLES])
            said.append(f"{column} {count:,} times ({examples})")
        return ", ".join(said)
