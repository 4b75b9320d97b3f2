"""The drift of a version's data from the champion's, as it is stored with the version and shown."""

from typing import Literal

from pydantic import BaseModel, Field

# How many findings are quoted in a decision, how many are stored, and of how many subjects the PSI is.
QUOTED, STORED, INDICES = 3, 20, 100

# The subject of a test of nulls, before the name of the column.
NULLS = "nulls of "

Rows = Literal["all", "new"]


class Finding(BaseModel):
    """One two-sample test of the data against the champion's."""

    subject: str = Field(description="a column, `nulls of` one, `target`, `predictions` or `classifier`")
    rows: Rows = Field(description="which rows are compared with the champion's: all, or those new since")
    psi: float = Field(description="population stability index, in bins of the champion's data")
    test: Literal["Kolmogorov-Smirnov", "chi-squared", "Mann-Whitney"]
    statistic: float = Field(description="of the test; the ROC AUC of the classifier")
    p_value: float = Field(description="adjusted by Holm's method for all tests of the comparison")
    detail: str = Field(description="the numbers here versus the champion's")
    new_categories: list[str] = Field(default=[], description="categories that the champion's data lacks")
    vanished_categories: list[str] = Field(default=[], description="categories that only that data has")

    def text(self) -> str:
        """The finding in a few words."""
        return (
            f"{self.subject}{' of new rows' if self.rows == 'new' else ''} PSI {self.psi:.2g} ({self.detail})"
        )


class Drift(BaseModel):
    """How the data of a version differs from the champion's."""

    champion: int = Field(description="the version whose data this is compared with")
    rows: int = Field(default=0, description="compared rows of this data, at most a sample")
    champion_rows: int = Field(default=0, description="compared rows of the champion's data")
    new_rows: int = Field(default=0, description="compared rows whose id the champion's data does not have")
    found: list[Finding] = Field(default=[], description="what has drifted, the largest PSI first")
    psi: dict[str, float] = Field(default={}, description="the largest PSI of each subject, found or not")
    classifier_auc: float | None = Field(
        default=None, description="cross-validated ROC AUC of a classifier that separates old from new rows"
    )
    not_compared: list[str] = Field(default=[], description="what could not be compared, and why")

    def text(self) -> str:
        """The drift in one line: what was found, else that nothing was, else what prevented it."""
        against = f"version {self.champion}"
        if self.found:
            more = f", and {len(self.found) - QUOTED} more" if len(self.found) > QUOTED else ""
            return f"drift from {against}: {', '.join(item.text() for item in self.found[:QUOTED])}{more}"
        if not self.rows:
            return f"drift from {against} not measured: {'; '.join(self.not_compared)}"
        return f"no drift from {against}"
