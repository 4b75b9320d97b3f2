"""Rows that repeat an id are found for any ids, any division into parts, and with bounded memory."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.checks import repeats
from pipeline.checks.repeats import repeated_rows, span
from pipeline.data.parts import write_part

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st


def repeated(parts: Sequence[Sequence[str]]) -> list[list[int]]:
    """Write ids as parts, and return for each part the rows that repeat an id."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor(2) as executor:
        paths = [Path(folder) / "raw" / f"{number}.parquet" for number in range(len(parts))]
        paths[0].parent.mkdir()
        for path, ids in zip(paths, parts, strict=True):
            write_part(pa.table({"_id": pa.array(ids, pa.string())}), path)
        spans = [span(pq.read_table(path)["_id"]) for path in paths]
        found = repeated_rows(paths, spans, "_id", executor)
        assert [path.name for path in Path(folder).iterdir()] == ["raw"]
        return [found.get(path, []) for path in paths]


@given(
    parts=st.lists(
        st.lists(st.sampled_from(["", "1", "10", "2", '"2"', "a", "ab", "é", "\U0001f600"]), max_size=5),
        min_size=1,
        max_size=5,
    ),
    in_order=st.booleans(),
)
def test_every_row_but_the_first_of_an_id_is_found(parts: list[list[str]], in_order: bool) -> None:
    if in_order:
        texts = iter(sorted(text for part in parts for text in part))
        parts = [[next(texts) for _ in part] for part in parts]
    seen: set[str] = set()
    expected: list[list[int]] = []
    for part in parts:
        expected.append([])
        for row, text in enumerate(part):
            if text in seen:
                expected[-1].append(row)
            seen.add(text)

    assert repeated(parts) == expected


def test_rising_ids_need_no_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "hashes", None)

    assert repeated([["a", "b"], [], ["c"]]) == [[], [], []]
    with pytest.raises(TypeError):
        repeated([["a", "b"], ["b"]])


def test_several_passes_find_all_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [str(number) for number in range(1_000)]
    monkeypatch.setattr(repeats, "SORTED", 70)
    monkeypatch.setattr(repeats, "READ", 33)

    assert repeated([numbers[:400], numbers[400:], ["5", "x", "999"]]) == [[], [], [0, 2]]


def test_equal_hashes_of_two_ids_are_no_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = repeats.hashes
    monkeypatch.setattr(repeats, "hashes", lambda texts, purpose: usual(texts, purpose, 1))
    numbers = [str(number) for number in range(300)]

    assert repeated([numbers, ["7"]]) == [[], [0]]
