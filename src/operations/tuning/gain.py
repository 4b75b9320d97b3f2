"""The gain of the winner over the present parameters, and whether it is more than chance."""

from dataclasses import dataclass

from operations.tuning.folds import FOLDS

import numpy as np
from scipy.stats import t

# A gain that rounds to zero at four decimals does not count.
DECIMALS = 4


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
