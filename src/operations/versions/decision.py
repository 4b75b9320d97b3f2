"""The decision on a version; it is stored with the version."""

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Decision:
    """Whether a version was promoted, why, and the numbers of its comparison. It is stored with the version.

    Differences are challenger minus champion. `difference_low` and `difference_high` bound the two-sided
    95 % interval of the difference in ROC AUC. `best` is the number of the best version so far if this
    version becomes champion.
    """

    promoted: bool
    reason: str
    champion: int | None = None
    rows: int | None = None
    challenger_roc_auc: float | None = None
    champion_roc_auc: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    difference_5_percent: float | None = None
    log_loss_difference: float | None = None
    log_loss_difference_95_percent: float | None = None
    best: int | None = None

    def content(self) -> dict[str, Any]:
        """The decision as it is stored."""
        return asdict(self)

    @property
    def measurably_better(self) -> bool:
        """Whether the version is promoted, and the 95 % interval of the difference is above zero."""
        return self.promoted and self.difference_low is not None and self.difference_low > 0

    def stopped(self, *reasons: str) -> "Decision":
        """Return the decision with these reasons against promotion; unchanged if there are none."""
        return replace(self, promoted=False, reason="; ".join([self.reason, *reasons])) if reasons else self
