"""Compares the schema with a small sample of the collection, for `pipeline check`."""

from operations.schema.compare import compare
from operations.schema.reading import NoSampleInTimeError, reading
from pipeline.checks.parameters import ValidationParameters
from pipeline.config.contract import load_contract
from pipeline.config.errors import PipelineError
from pipeline.config.parameters import load
from pipeline.source.parameters import IngestionParameters

SAMPLE = 1_000
# How long the server may take for it, in seconds.
SAMPLE_TIMEOUT = 5.0


def schema() -> str:
    """Return how the collection differs from the schema. The embedded sample server is not started.

    Raises:
        PipelineError: a retrain would fail.
    """
    ingestion = load("ingestion", IngestionParameters)
    contract, limits = load_contract(), load("validation", ValidationParameters)
    if ingestion.source == "sample":
        return "not compared with the sample: 'pipeline schema check' does it"
    try:
        with reading(ingestion, everything=False, most=SAMPLE, seconds=SAMPLE_TIMEOUT) as documents:
            found = compare(documents, contract, limits)
    except NoSampleInTimeError as error:
        return f"not compared ({error}): 'pipeline schema check' takes the time"
    if found.failures:
        raise PipelineError(f"a retrain would fail: {'; '.join(found.failures)}")
    count = len(found.lines)
    return f"{found.summary}{f'; {count} differences: see pipeline schema check' if count else ''}"
