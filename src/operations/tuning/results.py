"""The scores on folds, kept in a file so that a killed search can continue, and the gain of the winner."""

import json
import os
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from dataclasses import dataclass
from pathlib import Path

from operations.tuning.folds import FOLDS, Block, Scores, Setting, fold_scores
from pipeline.config.errors import PipelineError

import numpy as np
from scipy.stats import t

# A gain that rounds to zero at four decimals does not count.
DECIMALS = 4


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


@dataclass(frozen=True)
class Gain:
    """The mean difference in ROC AUC, its 95 % interval, and its p-value."""

    mean: float
    low: float
    high: float
    p: float

    @property
    def positive(self) -> bool:
        """Whether the rounded gain is above zero."""
        return round(self.mean, DECIMALS) > 0

    def __str__(self) -> str:
        interval = f"95 % interval {self.low:+.4f} to {self.high:+.4f}, p = {self.p:.2g}"
        return f"gain {self.mean:+.4f}, {interval}: {'more than' if self.low > 0 else 'within'} chance"


def gain(winner: np.ndarray, present: np.ndarray) -> Gain:
    """Return the gain from the ROC AUC of both on the same folds (float, shape (repeats * FOLDS,)).

    The corrected resampled t-test of Nadeau and Bengio (2003): folds share their training rows, so the
    variance of the mean is that of the differences times 1 / n + (test rows / training rows).
    """
    differences = winner - present
    count = len(differences)
    error = float(np.sqrt((1 / count + 1 / (FOLDS - 1)) * differences.var(ddof=1)))
    mean = float(differences.mean())
    margin = float(t.ppf(0.975, count - 1)) * error
    p = float(2 * t.sf(abs(mean) / error, count - 1)) if error else float(mean == 0)
    return Gain(mean, mean - margin, mean + margin, p)
