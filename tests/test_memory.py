"""Large rejected documents: memory is bounded by bytes, not by the number of documents."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import validation
from pipeline.config.errors import PipelineError
from reading import read
from stages import Folder, contract_with, document, failure, rejected, row

import pytest
from pymongo.database import Database

pytestmark = pytest.mark.slow

DOCUMENTS = 40


def peak(run: Callable[[], Any]) -> int:
    """Run a function and return the peak size of Python's objects in bytes."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("identity", ["_id", "number"])
def test_rejected_large_documents_have_bounded_memory(
    database: Database[dict[str, Any]], tmp_path: Path, identity: str
) -> None:
    contract = contract_with().model_copy(update={"id": identity})
    for number in range(DOCUMENTS):
        stored = document(row(number, churned="yes")) | {"number": -number, "log": ["x" * 250_000] * 4}
        database.customers.insert_one(stored)

    held = peak(lambda: read(database, tmp_path, contract))

    # Of 40 MB in total: an answer of four documents with a few copies, one document, its line.
    assert held < 32_000_000
    lines = (tmp_path / "rejected.jsonl").read_text().splitlines()
    order = list(range(DOCUMENTS))[:: 1 if identity == "_id" else -1]
    assert [f'"number": {-number}, ' in line for line, number in zip(lines, order, strict=True)] == [
        True
    ] * DOCUMENTS
    assert {len(line) for line in lines} <= set(range(1_000_000, 1_001_000))


def test_rejected_long_texts_have_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path, monkeypatch)
    folder.set(validation={"min_rows": 2, "max_rejected": 1})
    text = "é" * 300_000
    folder.write("raw", [row(number, contract=text) for number in range(DOCUMENTS)], [row(99), row(100)])

    held = peak(lambda: failure(validation.main, PipelineError))

    assert held < 12_000_000
    assert [line["document"]["account"]["contract"] == text for line in rejected()] == [True] * DOCUMENTS
