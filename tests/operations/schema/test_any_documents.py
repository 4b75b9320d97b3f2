"""For any documents, the proposal accepts them or names why not, and params.yaml accepts the proposal."""

import io
import math
from datetime import UTC, datetime
from typing import Any

from operations.schema.decide import decisions
from operations.schema.profile import Profile
from operations.schema.propose import checked, propose
from operations.schema.write import with_values
from pipeline.config.errors import ConfigurationError
from project import PARAMS

from bson import Decimal128, Int64, ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(
    lambda text: text.replace("\0", "")
)
words = st.sampled_from(
    ["yes", "no", "null", "1.5", "2020-01-31", "a@b.org", "~", "- x", "a: b", "#", "{}", ""]
)
dates = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.integers(-5, 5),
    st.floats(),
    st.decimals(allow_nan=True, allow_infinity=True, places=3, min_value=-(10**20), max_value=10**20).map(
        lambda value: Decimal128(str(value))
    ),
    texts,
    words,
    dates,
    st.binary(max_size=3),
    st.just(ObjectId(b"x" * 12)),
)
names = st.sampled_from(
    ["a", "b", "class", "_x", "1", "größe", "a.b", "$c", "", "opened", "opened_year", "True"]
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
fields = st.dictionaries(names, values, max_size=5)


@st.composite
def collections(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw documents that mostly repeat a few shapes, with a target of two values."""
    shapes = draw(st.lists(fields, min_size=1, max_size=4))
    columns = draw(
        st.dictionaries(names, st.sampled_from([texts, words, dates, st.integers(0, 9)]), max_size=4)
    )
    documents = []
    for number in range(draw(st.sampled_from([3, 20, 300]))):
        regular = {
            name: draw(each) if number < 6 else documents[number % 6].get(name)
            for name, each in columns.items()
        }
        documents.append(
            {
                "_id": number,
                **shapes[number % len(shapes)],
                **regular,
                "steady": number % 7,
                "target": number % 2 == 0,
            }
        )
    return documents


@settings(max_examples=60)
@given(documents=collections(), complete=st.booleans())
def test_a_proposal_accepts_what_it_was_made_from(documents: list[dict[str, Any]], complete: bool) -> None:
    try:
        proposal = propose(lambda: iter(documents), complete, "target=true", 0.99)
    except ConfigurationError as error:
        assert "offer no schema" in str(error)
        return

    assert proposal.section is not None
    assert proposal.proof is not None
    assert proposal.proof.read == len(documents)
    assert proposal.proof.rejected <= 0.01 * len(documents) or proposal.proof.reasons.worst_columns()
    # Each field is a column, or has a reason.
    decided = {decision.path for decision in proposal.decisions}
    assert {
        ".".join(path)
        for path, field in proposal.profile.fields.items()
        if set(field.families) != {"document"}
    } - {".".join(path) for path in proposal.profile.fields if path[0] == "_id"} <= decided
    assert all(decision.column or decision.why for decision in proposal.decisions)
    # What is written is what is read back.
    text = PARAMS.read_text()
    after = with_values(text, {("schema",): proposal.section, ("evaluation", "slice_by"): []})
    read = YAML(typ="safe", pure=True).load(io.StringIO(after))
    assert checked(read["schema"]) == checked(proposal.section)
    assert read["schema"] == proposal.section
    assert {**read, "schema": 0, "evaluation": 0} == {
        **YAML(typ="safe", pure=True).load(text),
        "schema": 0,
        "evaluation": 0,
    }
    for name, column in proposal.section["columns"].items():
        if "minimum" in column:
            numbers = [_at(document, column["path"]) for document in documents]
            assert all(
                column["minimum"] <= one
                for one in numbers
                if type(one) in (int, float) and math.isfinite(one)
            ), name


def _at(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


@settings(max_examples=40)
@given(st.lists(fields, min_size=1, max_size=5))
def test_every_field_is_decided_on_without_a_target(documents: list[dict[str, Any]]) -> None:
    profile = Profile(documents)

    found = decisions(profile, complete=True)

    assert all(decision.why or decision.column for decision in found)
