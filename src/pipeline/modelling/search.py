"""The values that `pipeline tune` searches for a parameter, as in `training.search` of params.yaml."""

from typing import Any, Self

from pipeline.config.parameters import Section

from pydantic import Field, model_validator


class Values(Section):
    """A range `{low, high}`, on a logarithmic scale with `log: true`, or a list `{choices}`.

    The range holds integers if both ends are integers, and real numbers otherwise.
    """

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: tuple[bool | int | float | str | None, ...] | None = Field(default=None, strict=False)

    @model_validator(mode="after")
    def _holds_values(self) -> Self:
        if self.choices is not None:
            if (self.low, self.high, self.log) != (None, None, False):
                raise ValueError("choices cannot be combined with low, high and log")
            if not self.choices:
                raise ValueError("choices is empty")
            return self
        if self.low is None or self.high is None:
            raise ValueError("expected {low, high}, or {choices}")
        if self.low >= self.high:
            raise ValueError(f"the range is empty: low {self.low} is not below high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range begins above 0, not at {self.low}")
        return self

    def extremes(self) -> tuple[Any, ...]:
        """Return the choices, or the two ends of the range, both of its type."""
        if self.choices is not None:
            return self.choices
        ends = self.low, self.high
        return (
            ends
            if all(isinstance(end, int) for end in ends)
            else tuple(float(end) for end in ends if end is not None)
        )

    def nearest(self, value: Any) -> Any:
        """Return the nearest value of the range; the first value for text and for an unknown choice."""
        if self.choices is not None:
            return value if value in self.choices else self.choices[0]
        low, high = self.extremes()
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return type(low)(min(max(value, low), high)) if is_number else low
