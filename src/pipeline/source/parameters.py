"""The section `ingestion` of params.yaml: the collection to read, and how."""

import json
from typing import Any, Literal

from pipeline.config.parameters import Section

import bson
from bson import json_util
from bson.errors import BSONError
from pydantic import Field, field_validator


class IngestionParameters(Section):
    """The section `ingestion` of params.yaml."""

    source: Literal["sample", "mongodb"]
    database: str = Field(min_length=1)
    collection: str = Field(min_length=1)
    filter: dict[str, Any] = Field(default_factory=dict)
    rows_per_part: int = Field(default=2_500, ge=1)
    readers: int = Field(default=1, ge=1, le=32)

    @field_validator("filter")
    @classmethod
    def _extended_json(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            query = dict(json_util.loads(json.dumps(value)))
            bson.encode(query)
            return query
        except (TypeError, ValueError, KeyError, ArithmeticError, BSONError) as error:
            raise ValueError(
                f"not extended JSON ({error}); a date is {{$date: '2026-01-31T00:00:00Z'}}"
            ) from None
