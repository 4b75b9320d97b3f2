"""The drift of a version's data from the champion's: the record that is stored with the version."""

from typing import Literal

from pydantic import BaseModel, Field

# The number of findings in a decision, of stored findings, and of subjects with a stored PSI.
QUOTED, STORED, INDICES = 3, 20, 100

# The subject of a test of nulls is this and the name of the column.
NULLS = "nulls of "

Rows = Literal["all", "new"]


class Finding(BaseModel):
    """One two-sample test of the data against the champion's."""

    subject: str = Field(description="a column, `nulls of` one, `target`, `predictions` or `classifier`")
    rows: Rows = Field(description="the compared rows: all, or those whose id the champion's data lacks")
    psi: float = Field(description="population stability index, in bins of the champion's data")
    test: Literal["Kolmogorov-Smirnov", "chi-squared", "Mann-Whitney"]
    statistic: float = Field(description="the statistic of the test; for the classifier its ROC AUC")
    p_value: float = Field(description="adjusted by Holm's method for all tests of the comparison")
    detail: str = Field(description="the numbers of this data versus the champion's")
    new_categories: list[str] = Field(default=[], description="categories that the champion's data lacks")
    vanished_categories: list[str] = Field(
        default=[], description="categories that only the champion's data has"
    )

    def text(self) -> str:
        """Return the finding as text."""
        return (
            f"{self.subject}{' of new rows' if self.rows == 'new' else ''} PSI {self.psi:.2g} ({self.detail})"
        )


class Drift(BaseModel):
    """How the data of a version differs from the champion's."""

    champion: int = Field(description="the version whose data is the reference")
    rows: int = Field(default=0, description="compared rows of this data: all, or a sample")
    champion_rows: int = Field(default=0, description="compared rows of the champion's data")
    new_rows: int = Field(default=0, description="compared rows whose id the champion's data lacks")
    found: list[Finding] = Field(default=[], description="the drifts that were found, the largest PSI first")
    psi: dict[str, float] = Field(
        default={}, description="the largest PSI of each subject, also if it is not a finding"
    )
    classifier_auc: float | None = Field(
        default=None, description="cross-validated ROC AUC of a classifier that separates old from new rows"
    )
    not_compared: list[str] = Field(default=[], description="what could not be compared, and why")

    def text(self) -> str:
        """Return the drift in one line: the largest findings, no drift, or why it is not measured."""
        against = f"version {self.champion}"
        if self.found:
            more = f", and {len(self.found) - QUOTED} more" if len(self.found) > QUOTED else ""
            return f"drift from {against}: {', '.join(item.text() for item in self.found[:QUOTED])}{more}"
        if not self.rows:
            return f"drift from {against} not measured: {'; '.join(self.not_compared)}"
        return f"no drift from {against}"
