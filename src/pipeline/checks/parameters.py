"""The section `validation` of params.yaml."""

from typing import Literal

from pipeline.config.parameters import Section

from pydantic import Field


class DriftParameters(Section):
    """When a drift of the data is named, and when it stops a promotion.

    `significance` bounds the probability of naming any where there is none. A significant drift is named if
    its PSI is at least `warn`, and stops the promotion if its PSI is more than `hold`; None never does.
    """

    significance: float = Field(default=0.05, gt=0, lt=1)
    warn: float = Field(default=0.02, ge=0)
    hold: float | None = Field(default=None, ge=0)


class ValidationParameters(Section):
    """The limits of the stage, and of the change of new data from the champion's.

    The stage uses the first three. `operations.versions` (`data_change`, `drift_gate`) uses the others, since
    a stage does not know the champion.
    """

    max_rejected: float = Field(default=0.01, ge=0, le=1)
    min_rows: int = Field(default=1000, ge=2)
    max_single_column_auc: float = Field(default=0.99, gt=0.5, le=1)

    on_change: Literal["hold", "stop"] = "hold"
    max_shrink: float = Field(default=0.1, ge=0, le=1)
    max_mean_shift: float = Field(default=0.25, ge=0)
    max_null_change: float = Field(default=0.05, ge=0, le=1)
    max_category_change: float = Field(default=0.1, ge=0, le=1)
    max_target_change: float = Field(default=0.25, ge=0)
    drift: DriftParameters = DriftParameters()
