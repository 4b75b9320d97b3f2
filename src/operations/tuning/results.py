"""The scores of the folds so far, in a file, so that a killed search can continue."""

import json
import os
from pathlib import Path

from operations.tuning.folds import Block, Scores


class Results:
    """Scores by parameters, repeat and fold; each is a line of the file, so that a kill loses none."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            # The process was killed, or the disk was full, while it wrote the last line.
            os.truncate(path, len(whole.encode()))
        self._path = path
        self._known: dict[str, Scores | str] = dict(json.loads(line) for line in whole.splitlines())

    def __len__(self) -> int:
        return len(self._known)

    def get(self, block: Block, repeat: int, fold: int) -> Scores | str | None:
        """Return the scores of a fold, the error of its fit, or None if it is not computed yet."""
        return self._known.get(_key(block, repeat, fold))

    def add(self, block: Block, repeat: int, fold: int, scores: Scores | str) -> None:
        """Store the scores of a fold."""
        key = _key(block, repeat, fold)
        self._known[key] = scores
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([key, scores]) + "\n")


def _key(block: Block, repeat: int, fold: int) -> str:
    return json.dumps([block, repeat, fold], sort_keys=True)
