"""For any mixture of documents: each is accepted unchanged, or kept whole with its reason."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import ingestion
from reading import Document, read, relaxed
from values import MISSING, TYPES, contract, document, identical

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database


def fits(kind: str, value: Any) -> bool:
    """An independent implementation of the contract of a column."""
    if kind == "integer" and type(value) is float:
        return value.is_integer() and abs(value) <= 2**53
    if kind == "number" and type(value) is int:
        return abs(value) <= 2**53
    accepted = {"integer": int, "number": float, "boolean": bool, "datetime": datetime}.get(kind, str)
    return type(value) is accepted and not (accepted is float and not math.isfinite(value))


dates = st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = texts.map(lambda text: text.replace("\0", ""))
integers = st.integers(-(2**63), 2**63 - 1)
GOOD_VALUES = {
    "integer": integers | st.integers(-(2**53), 2**53).map(float).filter(float.is_integer),
    "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
    "boolean": st.booleans(),
    "category": texts,
    "string": texts,
    "datetime": dates,
}
anything = st.recursive(
    st.none() | st.booleans() | integers | st.floats() | texts | dates | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=4,
)
rows = st.builds(
    lambda good, bad: good | bad,
    st.fixed_dictionaries(GOOD_VALUES),
    st.one_of(st.just({}), st.dictionaries(st.sampled_from(TYPES), anything | st.just(MISSING), max_size=2)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(rows, min_size=1, max_size=12), batch_rows=st.integers(1, 5), nullable=st.booleans())
def test_any_documents_are_accounted_for(
    database: Database[Document], tmp_path: Path, values: list[Document], batch_rows: int, nullable: bool
) -> None:
    stored = {number: document(number, **fields) for number, fields in enumerate(values)}
    database.customers.drop()
    database.customers.insert_many(stored.values())

    with patch.object(ingestion, "BATCH_ROWS", batch_rows):
        done = read(database, tmp_path, contract(**dict.fromkeys(TYPES, nullable)))

    good = {
        number: source["required"]
        for number, source in stored.items()
        if all(
            fits(kind, source["required"].get(kind)) or (nullable and source["required"].get(kind) is None)
            for kind in TYPES
        )
    }
    assert [row["_id"] for row in done.rows] == [str(number) for number in good]
    for row, source in zip(done.rows, good.values(), strict=True):
        assert all(identical(row[kind], source.get(kind)) for kind in TYPES), (row, source)
    assert {number: line["document"] for number, line in zip(done.reasons, done.rejections, strict=True)} == {
        number: relaxed(source) for number, source in stored.items() if number not in good
    }
