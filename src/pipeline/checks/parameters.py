"""What params.yaml says of validation."""

from pipeline.config.parameters import Section

from pydantic import Field


class ValidationParameters(Section):
    """The section `validation` of params.yaml."""

    max_rejected: float = Field(default=0.01, ge=0, le=1)
    min_rows: int = Field(default=1000, ge=2)
