"""The paths of all artifacts, and the line format of rejected documents."""

from collections.abc import Mapping
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
SLICES = Path("artifacts/evaluation/slices.json")
PLOTS = Path("artifacts/evaluation/plots")
REPORT = Path("artifacts/evaluation/report.html")

# How many characters of a value a reason quotes.
LONGEST = 100


def parts(folder: Path) -> list[Path]:
    """Return the Parquet parts of a folder, sorted by name, which is the order of the ids."""
    paths = sorted(folder.glob("*.parquet"))
    if not paths:
        raise PipelineError(f"{folder} holds no Parquet part: run 'dvc repro', or 'dvc pull' to fetch them")
    return paths


def shortened(text: str) -> str:
    """Return a text cut to `LONGEST` characters, for a reason; the rejected document has the whole text."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def rejection_line(stage: str, reasons: list[str], document: Mapping[str, Any]) -> str:
    """Return a line of a rejected/*.jsonl file: stage, reasons, and document as relaxed extended JSON."""
    content = {"stage": stage, "reasons": reasons, "document": document}
    line = json_util.dumps(content, json_options=json_util.RELAXED_JSON_OPTIONS, ensure_ascii=False)
    # Some readers treat these characters as line ends.
    for separator in ("\x85", "\u2028", "\u2029"):
        line = line.replace(separator, f"\\u{ord(separator):04x}")
    return line
