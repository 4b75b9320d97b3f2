"""Computes the scores on folds, and keeps them in a file, so that a killed search can continue."""

import json
import os
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from pathlib import Path

from operations.tuning.folds import FOLDS, Block, Scores, Setting, fold_scores
from pipeline.config.errors import PipelineError

import numpy as np


class Folds:
    """The scores of parameters on folds: a pool computes each once, and a line of a file keeps it."""

    def __init__(self, setting: Setting, path: Path, pool: Executor) -> None:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            # The process was killed, or the disk was full, while it wrote the last line.
            os.truncate(path, len(whole.encode()))
        self._setting, self._path, self._pool = setting, path, pool
        self._known: dict[str, Scores | str] = dict(json.loads(line) for line in whole.splitlines())

    def __len__(self) -> int:
        return len(self._known)

    def compute(self, blocks: Sequence[Block], repeats: Sequence[int]) -> None:
        """Compute the scores of parameters on all folds of the repeats, unless they are known."""
        missing = {
            self._pool.submit(fold_scores, self._setting, block, repeat, fold): key
            for block in blocks
            for repeat in repeats
            for fold in range(FOLDS)
            if (key := _key(block, repeat, fold)) not in self._known
        }
        try:
            for future in as_completed(missing):
                key = missing[future]
                self._known[key] = future.result()
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, self._known[key]]) + "\n")
        except BrokenExecutor:
            raise PipelineError(
                "a process died, probably out of memory, since each holds the training split: add memory or "
                "set LOKY_MAX_CPU_COUNT=1, and run the same command to continue"
            ) from None
        finally:
            for future in missing:
                future.cancel()

    def failure(self, block: Block, repeats: Sequence[int] = (0,)) -> str | None:
        """Return the first error of a fit in the repeats, or None."""
        return next((text for text in self._of(block, repeats) if isinstance(text, str)), None)

    def scores(self, block: Block, name: str, repeats: Sequence[int]) -> np.ndarray:
        """Return a score on each fold of the repeats (float, shape (len(repeats) * FOLDS,))."""
        return np.array([scores[name] for scores in self._of(block, repeats) if isinstance(scores, dict)])

    def means(self, block: Block) -> Scores:
        """Return the mean scores in the search; empty if a fold cannot be fitted."""
        names = () if self.failure(block) else ("roc_auc", "log_loss")
        return {name: float(self.scores(block, name, [0]).mean()) for name in names}

    def evaluate(self, blocks: list[Block]) -> list[float | None]:
        """Compute and return the mean ROC AUC of parameters in the search."""
        self.compute(blocks, [0])
        return [self.means(block).get("roc_auc") for block in blocks]

    def _of(self, block: Block, repeats: Sequence[int]) -> list[Scores | str]:
        return [self._known[_key(block, repeat, fold)] for repeat in repeats for fold in range(FOLDS)]


def _key(block: Block, repeat: int, fold: int) -> str:
    return json.dumps([block, repeat, fold], sort_keys=True)
