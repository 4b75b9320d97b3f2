"""The walk over a batch and the judgement one by one have the same result for any documents."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pipeline.config.errors import PipelineError
from pipeline.source.decoding import Batch, Decoder
from pipeline.source.documents import Judge, Judged
from pipeline.source.mongo import CODEC
from pipeline.source.walk import layout_of, walk
from reading import Document
from values import GOOD, TYPES, VALUES, contract

import bson
import numpy as np
import pytest
from bson import DatetimeMS, Decimal128, Int64, ObjectId
from bson.errors import InvalidBSON
from hypothesis import example, given, settings
from hypothesis import strategies as st

FIELDS = {**GOOD, "target": True}
PARENT = {"__parent_0": "object"}


def flat(identity: Any, **values: Any) -> Document:
    """Return a document as the server projects it."""
    return {"_id": identity, **FIELDS, **values}


def outcome(raw: bytes, nullable: bool, walks: bool, **changes: Any) -> Any:
    """Return all that a decoder returns for a batch, or the message of its error."""
    columns = contract(**dict.fromkeys(TYPES, nullable)).model_copy(update=changes)
    decoder = Decoder(columns)
    if not walks:
        decoder._orders = []
    try:
        # The second batch is decoded with the order of fields that the decoder learned from the first.
        batches = [decoder.decode(raw), decoder.decode(raw)]
    except PipelineError as error:
        return str(error)
    for batch in batches:
        batch.table.validate(full=True)
    return [
        (
            batch.table.schema,
            # `repr` keeps the sign of zero. Python's datetime cannot hold all dates, so they are integers.
            [
                repr((column.cast("int64") if name == "datetime" else column).to_pylist())
                for name, column in zip(batch.table.column_names, batch.table.columns, strict=True)
            ],
            repr(batch.rejections),
        )
        for batch in batches
    ]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.sampled_from([value for value in VALUES.values() if type(value) is not object]) | texts
numbers = st.integers(-(2**63), 2**63 - 1).map(Int64) | st.floats() | st.integers(-(2**31), 2**31 - 1)
fields = st.dictionaries(
    st.sampled_from([*GOOD, "target", "other"]), values | numbers | st.none(), max_size=3
)
parents = st.sampled_from(["object", "object", "missing", "null", "undefined", "string", "array"])
ids = (
    st.integers(0, 2**31) | st.integers(2**31, 2**40).map(Int64) | texts | st.binary(min_size=12, max_size=12)
)
ids = ids.map(lambda value: ObjectId(value) if type(value) is bytes else value)
ids |= st.sampled_from(["5", "\u0665", "0" * 24, "-1e5", "{a", "true", None, 2.5, [], {"a": 1}, b"x"])
changes = st.tuples(fields, st.lists(st.sampled_from([*FIELDS, "_id"]), max_size=2), parents, st.booleans())


@settings(max_examples=80)
@given(st.lists(st.tuples(ids, changes), max_size=8), st.booleans(), st.sampled_from(["_id", "key"]))
@example([(1, ({}, ["target"], "object", False)), (1, ({}, [], "object", False))], False, "_id")
def test_walk_and_judgement_agree_on_any_documents(found: list[Any], nullable: bool, identity: str) -> None:
    documents = []
    for key, (new, gone, parent, turned) in found:
        document = flat(key, **new) | ({} if identity == "_id" else {"__id": key, "_id": 7})
        document |= {"__parent_0": parent} if nullable else {}
        kept = [item for item in document.items() if item[0] not in gone]
        documents.append(dict(reversed(kept) if turned else kept))
    raw = b"".join(map(bson.encode, documents))

    assert outcome(raw, nullable, True, id=identity) == outcome(raw, nullable, False, id=identity)


VALID = b"".join(
    bson.encode(flat(identity, **values, **PARENT))
    for identity, values in [
        ("a", {}),
        ("b", {"integer": 2.0, "number": Int64(3), "category": "", "string": "\u00e9\0x"}),
        ("c", {"datetime": DatetimeMS(-(2**63))}),
        ("d", {"integer": None}),
    ]
)


def test_walk_and_judgement_agree_on_any_byte() -> None:
    """Each byte of a document with a field of each type takes other values: types, lengths, extremes."""
    values = {"integer": 2.0, "number": Int64(3), "string": "\u00e9\0x"}
    whole = bson.encode(flat("000000", **values, **PARENT))
    at = whole.index(b"000000")
    valid, broken = [], []
    for place in (*range(4, at), *range(at + 6, len(whole))):
        for byte in {*range(21), 127, 128, 255, whole[place] ^ 1}:
            changed = whole[:place] + bytes([byte]) + whole[place + 1 :]
            try:
                bson.decode(changed, CODEC)
                valid.append(changed[:at] + b"%06d" % len(valid) + changed[at + 6 :])
            except InvalidBSON:
                broken.append(changed)

    raw = b"".join(valid)
    assert outcome(raw, True, True) == outcome(raw, True, False)

    broken.append(whole)
    starts = np.arange(len(broken)) * len(whole)
    [fields] = Decoder(contract(**dict.fromkeys(TYPES, True)))._orders
    for layout in (None, layout_of(whole, 0, len(whole), fields)):
        fit, _ = walk(b"".join(broken), starts, starts + len(whole), fields, layout)
        assert np.flatnonzero(fit).tolist() == [len(broken) - 1]
    assert min(len(valid), len(broken)) > 500


@given(st.integers(0, len(VALID)), st.binary(max_size=5))
def test_walk_and_judgement_agree_on_a_cut_batch(place: int, rest: bytes) -> None:
    raw = VALID[:place] + rest

    assert outcome(raw, True, True) == outcome(raw, True, False)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of documents of each batch that are judged one by one."""
    counts, judge = [], Judge.judge

    def counted(self: Judge, raw: bytes) -> Judged:
        found = judge(self, raw)
        counts.append(len(found.documents))
        return found

    monkeypatch.setattr(Judge, "judge", counted)
    return counts


def missing(row: int, document: Document) -> None:
    for place, name in enumerate(TYPES):
        if (row >> place) % 3 == 0:
            del document[name]


def null(row: int, document: Document) -> None:
    document.update({name: None for place, name in enumerate(TYPES) if (row >> place) % 3 == 0})


def mixed(row: int, document: Document) -> None:
    document["integer"] = [row, Int64(2**53 + row), float(row), -0.0][row % 4]
    document["number"] = [row / 7, row, Int64(row), -5e-324][row % 4]
    document["datetime"] = [datetime(1969, 1, 1, tzinfo=UTC), DatetimeMS(2**62), None][row % 3]
    document["string"] = ["", "\0", "\U0001f600" * row, "x" * 10_000][row % 4]


@pytest.mark.parametrize("change", [missing, null, mixed])
@pytest.mark.parametrize(
    "kind", [str, int, lambda row: Int64(2**40 + row), lambda row: ObjectId(f"{row:024x}")]
)
def test_common_documents_are_walked(
    judged: list[int], change: Callable[[int, Document], None], kind: Callable[[int], Any]
) -> None:
    documents = []
    for row in range(64):
        documents.append(flat(kind(row + 100), **PARENT))
        change(row, documents[-1])
    raw = b"".join(map(bson.encode, documents))

    batch = Decoder(contract(**dict.fromkeys(TYPES, True))).decode(raw)

    assert (len(batch.table), judged) == (64, [0])


def test_another_order_is_judged_once(judged: list[int]) -> None:
    orders = [list(FIELDS), list(reversed(FIELDS)), sorted(FIELDS)]
    documents = [
        {"_id": row} | {name: FIELDS[name] for name in orders[row % 3]} | PARENT for row in range(90)
    ]
    decoder = Decoder(contract(integer=True))

    batches = [
        decoder.decode(b"".join(map(bson.encode, documents[start : start + 30]))) for start in (0, 30, 60)
    ]

    assert judged == [20, 10, 0]
    assert [batch.table["_id"].to_pylist() for batch in batches][2] == [str(row) for row in range(60, 90)]


def test_only_the_unusual_documents_are_judged(judged: list[int]) -> None:
    odd = {3: Decimal128("1.5"), 5: math.nan, 7: "9"}
    documents = [flat(row, number=odd.get(row, row / 2)) for row in (*range(10), 9)]

    batch: Batch = Decoder(contract()).decode(b"".join(map(bson.encode, documents)))

    assert judged == [3]
    assert batch.table["number"].to_pylist() == [0, 0.5, 1, 1.5, 2, 3, 4, 4.5]
    assert [(each.row, each.reasons[0].partition(":")[0]) for each in batch.rejections] == [
        (5, "number"),
        (7, "number"),
        (10, "_id"),
    ]
