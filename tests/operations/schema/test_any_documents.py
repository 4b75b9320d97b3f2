"""For any documents: the proposal accepts them or names the reason, and params.yaml accepts the proposal."""

from datetime import UTC, datetime
from typing import Any

from operations.params_file import with_values
from operations.schema.propose import Proposal, checked, propose
from pipeline.config.errors import ConfigurationError
from project import PARAMS

from bson import Decimal128, Int64, ObjectId
from hypothesis import event, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(
    lambda text: text.replace("\0", "")
)
words = st.sampled_from(["yes", "no", "null", "1.5", "2020-01-31", "a@b.org", "~", "- x", "a: b", "#", "{}"])
dates = st.integers(-(10**9), 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
decimals = st.decimals(-(10**20), 10**20, places=3).map(lambda value: Decimal128(str(value)))
integers = st.integers(-5, 5) | st.integers(-(2**63), 2**63 - 1).map(Int64)
others = st.sampled_from([Decimal128("NaN"), Decimal128("1E+400"), b"x", ObjectId(b"x" * 12)])
scalars = st.one_of(st.none(), st.booleans(), integers, st.floats(), decimals, texts, words, dates, others)
names = st.sampled_from(["a", "class", "_x", "1", "größe", "a.b", "$c", "", "opened", "opened_year", "True"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)
steady = st.sampled_from([texts, words, dates, integers, decimals, st.booleans(), st.floats()])


@st.composite
def collections(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw documents that repeat a few shapes, and have columns with values of one type or null."""
    shapes = draw(st.lists(st.dictionaries(names, values, max_size=4), min_size=1, max_size=3))
    columns = draw(st.dictionaries(names, steady, max_size=4))
    few = [{name: draw(each | each | st.none()) for name, each in columns.items()} for _ in range(5)]
    documents = [
        {"_id": number, **shapes[number % len(shapes)], "nested": few[number % 5], "target": number % 3 == 0}
        for number in range(draw(st.sampled_from([6, 30, 250])))
    ]
    # One document differs from the others: among 250 it may be rejected.
    documents[1] |= {"nested": draw(st.dictionaries(names, values, max_size=4))}
    return documents


def proposed(documents: list[dict[str, Any]], complete: bool) -> Proposal | str:
    """Return the proposal, or the message of the error."""
    try:
        return propose(lambda: iter(documents), complete, "target=true", 0.99)
    except ConfigurationError as error:
        return str(error)


@settings(max_examples=50)
@given(documents=collections(), complete=st.booleans())
def test_a_proposal_accepts_what_it_was_made_from(documents: list[dict[str, Any]], complete: bool) -> None:
    proposal = proposed(documents, complete)

    if isinstance(proposal, str):
        event("no feature")
        assert proposal.startswith("no schema fits the documents: ")
        return
    assert proposal.section is not None
    assert proposal.proof is not None
    event(f"{len(proposal.section['columns']) - 1} features")
    assert proposal.proof.read == len(documents)
    assert proposal.proof.rejected <= 0.01 * len(documents)
    decided = {decision.path for decision in proposal.decisions}
    for path, field in proposal.profile.fields.items():
        assert ".".join(path) in decided or set(field.families) == {"document"}
    assert all(decision.column or decision.why for decision in proposal.decisions)
    # A second inference changes nothing.
    again = propose(lambda: iter(documents), complete, "target=true", 0.99, present=checked(proposal.section))
    assert again.section == proposal.section


@settings(max_examples=20)
@given(documents=collections())
def test_params_yaml_stays_valid_and_keeps_the_rest(documents: list[dict[str, Any]]) -> None:
    proposal = proposed(documents, complete=True)
    if isinstance(proposal, str):
        return
    before = PARAMS.read_text()

    after = with_values(before, {("schema",): proposal.section})

    read, kept = (YAML(typ="safe", pure=True).load(text) for text in (after, before))
    assert read["schema"] == proposal.section
    assert checked(read["schema"]) == checked(proposal.section or {})
    assert {**read, "schema": None} == {**kept, "schema": None}
    lines = set(after.splitlines())
    assert {line for line in before.splitlines() if "#" in line and "schema" not in line} <= lines
