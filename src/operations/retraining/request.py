"""The request and the result of a retrain, as passed between its processes."""

from typing import Literal

from operations.versions.drift import Drift

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """The data and the stages of a retrain; or with `finish`, the tag whose publication to finish."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    branch: str
    keep_data: bool = False
    read_source: bool = False
    everything: bool = False
    data_from: int | None = None
    overrides: tuple[str, ...] = ()
    promote: bool | None = None
    finish: str | None = None

    @property
    def reads_source(self) -> bool:
        """Whether ingestion may run, which reads the source."""
        return self.read_source or not (self.keep_data or self.data_from is not None)

    @property
    def may_promote(self) -> bool:
        """Whether the version may become champion. By default, only experiments on old data may not."""
        return self.data_from is None if self.promote is None else self.promote


class Outcome(BaseModel):
    """The result of a retrain that did not fail."""

    state: Literal["succeeded", "unchanged"]
    message: str
    version: int | None = None
    promoted: bool | None = None
    reason: str | None = None
    commit: str | None = None
    metrics: dict[str, float] = {}
    rows_read: int | None = None
    rows_rejected: int | None = None
    drift: Drift | None = None


class Failure(BaseModel):
    """Why a retrain failed."""

    error: str
    exit_code: int
