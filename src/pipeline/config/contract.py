"""The contract with the source: the columns to read, their paths, and their valid values."""

import keyword
import re
from typing import Literal, Self

from pipeline.config.parameters import Section, load

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

ColumnType = Literal["integer", "number", "boolean", "category", "datetime", "string"]

ARROW_TYPES: dict[str, pa.DataType] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "category": pa.string(),
    "datetime": pa.timestamp("ms"),
    "string": pa.string(),
}


# Each datetime becomes these features of the model, named like `opened_year`.
CALENDAR = ("year", "month", "day_of_week")
# Derived features are Python expressions, in which pandas reads the last two as infinity.
RESERVED_NAMES = {*keyword.kwlist, "inf", "Inf"}


# The hint for a column's name that is refused.
FREE = "any name is fine, since the column's path locates its values"


def check_name(name: str) -> None:
    """Refuse a name of a column or derived feature that a stage would not accept."""
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        raise ValueError(f"{name!r} cannot be a name: a letter, then letters, digits and underscores")
    if name in RESERVED_NAMES:
        raise ValueError(f"{name!r} is reserved in expressions: choose another name, {FREE}")


def _check_path(path: str) -> str:
    if not path or any(not part or part.startswith("$") or "\0" in part for part in path.split(".")):
        raise ValueError(f"{path!r} is not a dotted path into a document")
    return path


class Column(Section):
    """A declared column. It is required and not null unless `nullable`."""

    path: str
    type: ColumnType
    nullable: bool = False
    minimum: int | float | None = None
    maximum: int | float | None = None
    values: tuple[str, ...] | None = Field(default=None, min_length=1, strict=False)

    _path = field_validator("path")(_check_path)

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        if self.type not in ("integer", "number") and (self.minimum, self.maximum) != (None, None):
            raise ValueError(f"minimum and maximum are for integer and number, not for {self.type}")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        if self.values is not None and self.type != "category":
            raise ValueError(f"values is for category, not for {self.type}")
        if self.values is not None and len(set(self.values)) < len(self.values):
            raise ValueError("values holds the same value twice")
        return self


class Target(Section):
    """The target: the model predicts whether `column` has the value `positive`."""

    column: str
    positive: bool | int | str


class Contract(Section):
    """The section `schema` of params.yaml.

    `id` is the dotted path of a document's id, and the name of the id column in every Parquet file.
    """

    id: str = "_id"
    target: Target
    columns: dict[str, Column] = Field(min_length=2)

    _id = field_validator("id")(_check_path)

    @field_validator("columns")
    @classmethod
    def _names(cls, columns: dict[str, Column]) -> dict[str, Column]:
        for name in columns:
            check_name(name)
        return columns

    @model_validator(mode="after")
    def _calendar_is_free(self) -> Self:
        for name, column in self.features.items():
            taken = [f"{name}_{part}" for part in CALENDAR if f"{name}_{part}" in self.columns]
            if column.type == "datetime" and taken:
                raise ValueError(
                    f"columns: {taken[0]} is the name of a feature that is made of the datetime {name}: "
                    f"choose another name, {FREE}"
                )
        return self

    @model_validator(mode="after")
    def _one_place_each(self) -> Self:
        if self.id in self.columns:
            raise ValueError(f"{self.id} is the id, so it cannot be a column too")
        paths = {self.id, *(column.path for column in self.columns.values())}
        for path in sorted(paths):
            if inside := sorted(other for other in paths if other.startswith(f"{path}.")):
                raise ValueError(f"{inside[0]} lies inside {path}, which is a value and holds no fields")
        return self

    @model_validator(mode="after")
    def _target_fits(self) -> Self:
        column = self.columns.get(self.target.column)
        if column is None:
            raise ValueError(f"target.column {self.target.column} is not among the columns")
        if column.nullable:
            raise ValueError(f"the target {self.target.column} cannot be nullable")
        wanted = {"boolean": bool, "category": str, "string": str, "integer": int}.get(column.type)
        if wanted is None:
            raise ValueError(f"the target cannot be a {column.type}")
        if type(self.target.positive) is not wanted:
            raise ValueError(f"target.positive must be a {column.type}, not {self.target.positive!r}")
        if column.values is not None and self.target.positive not in column.values:
            raise ValueError(f"target.positive {self.target.positive!r} is not among the column's values")
        if not self.features:
            raise ValueError("columns holds no feature: one that is neither the target nor a string")
        return self

    @property
    def features(self) -> dict[str, Column]:
        """The columns that the model may see: all but the target and the strings."""
        return {
            name: column
            for name, column in self.columns.items()
            if name != self.target.column and column.type != "string"
        }

    def arrow(self) -> pa.Schema:
        """The Arrow schema of a raw or validated part: the id as text, then the columns as declared."""
        columns = [pa.field(name, ARROW_TYPES[column.type]) for name, column in self.columns.items()]
        return pa.schema([pa.field(self.id, pa.string(), nullable=False), *columns])


def load_contract() -> Contract:
    """Return the section `schema` of params.yaml."""
    return load("schema", Contract)
