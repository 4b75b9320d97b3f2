"""Computes the scores on folds, and keeps them in a file, so that a killed search can continue."""

import json
import os
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from pathlib import Path

from operations.tuning.folds import FOLDS, Block, Scores, Setting, fold_scores
from pipeline.config.errors import PipelineError

import numpy as np


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


class Folds:
    """Computes the scores on folds with a pool of workers, unless the results have them."""

    def __init__(self, setting: Setting, results: Results, pool: Executor) -> None:
        self._setting, self._results, self._pool = setting, results, pool

    def compute(self, blocks: Sequence[Block], repeats: Sequence[int]) -> None:
        """Compute the scores of parameters on all folds of the repeats."""
        tasks = [(block, repeat, fold) for block in blocks for repeat in repeats for fold in range(FOLDS)]
        missing = {
            self._pool.submit(fold_scores, self._setting, *task): task
            for task in tasks
            if self._results.get(*task) is None
        }
        try:
            for future in as_completed(missing):
                self._results.add(*missing[future], future.result())
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
        return next((text for text in self._known(block, repeats) if isinstance(text, str)), None)

    def scores(self, block: Block, name: str, repeats: Sequence[int]) -> np.ndarray:
        """Return a score on each fold of the repeats (float, shape (len(repeats) * FOLDS,))."""
        known = self._known(block, repeats)
        return np.array([scores[name] for scores in known if isinstance(scores, dict)])

    def means(self, block: Block) -> Scores:
        """Return the mean scores in the search; empty if a fold cannot be fitted."""
        names = () if self.failure(block) else ("roc_auc", "log_loss")
        return {name: float(self.scores(block, name, [0]).mean()) for name in names}

    def evaluate(self, blocks: list[Block]) -> list[float | None]:
        """Compute and return the mean ROC AUC of parameters in the search."""
        self.compute(blocks, [0])
        return [self.means(block).get("roc_auc") for block in blocks]

    def _known(self, block: Block, repeats: Sequence[int]) -> list[Scores | str | None]:
        return [self._results.get(block, repeat, fold) for repeat in repeats for fold in range(FOLDS)]
