"""Outputs that appear whole or not at all, and folders of Parquet parts in the order of the ids."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.config.errors import PipelineError

from bson import json_util

RAW = Path("artifacts/raw")
REJECTED_BY_INGESTION = Path("artifacts/rejected/ingestion.jsonl")
VALIDATED = Path("artifacts/validated")
REJECTED_BY_VALIDATION = Path("artifacts/rejected/validation.jsonl")
VALIDATION_REPORT = Path("artifacts/validation.json")
TRAIN = Path("artifacts/features/train")
TEST = Path("artifacts/features/test")
MODEL = Path("artifacts/model/model.joblib")
METRICS = Path("artifacts/evaluation/metrics.json")
PLOTS = Path("artifacts/evaluation/plots")

# How much of a value a reason quotes, in characters.
LONGEST = 100


def parts(folder: Path) -> list[Path]:
    """List the Parquet parts of a folder in the order of the ids, which is that of the names.

    Raises:
        PipelineError: the folder is missing or holds no part.
    """
    found = sorted(folder.glob("*.parquet"))
    if not found:
        raise PipelineError(f"{folder} holds no Parquet part: run 'dvc repro', or 'dvc pull' to fetch them")
    return found


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a place to write a file to, which takes the name `path` only if the block succeeds."""
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.unlink(missing_ok=True)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to write to, which takes the place of `path` only if the block succeeds."""
    partial = path.with_name(path.name + ".partial")
    previous = path.with_name(path.name + ".previous")
    for leftover in (partial, previous):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if path.exists():
            path.rename(previous)
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(previous, ignore_errors=True)


def write_json(path: Path, content: Mapping[str, Any] | list[Any]) -> None:
    """Write `content` as indented JSON, whole or not at all; NaN is refused."""
    with atomic_file(path) as partial:
        partial.write_text(
            json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def shortened(text: str) -> str:
    """Return the beginning of a long text, for a reason: the document that it is from is kept whole."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def rejection_line(stage: str, reasons: list[str], document: Mapping[str, Any]) -> str:
    """Return one line of a rejected/*.jsonl file: the document as relaxed extended JSON, and why."""
    content = {"stage": stage, "reasons": reasons, "document": document}
    line = json_util.dumps(content, json_options=json_util.RELAXED_JSON_OPTIONS, ensure_ascii=False)
    # Some readers take these for the end of a line.
    for separator in ("\x85", "\u2028", "\u2029"):
        line = line.replace(separator, f"\\u{ord(separator):04x}")
    return line
