"""The report of `pipeline check`: a line for each check, with its answer or how to fix the problem."""

import os
import subprocess
import sys
from collections.abc import Iterator

from operations.readiness.asking import Check, all_wrong, ask
from operations.readiness.servers import RIGHTS
from operations.readiness.workspace import dvc, identity, packages
from operations.schema.compare import compare
from operations.schema.reading import NoSampleInTimeError, reading
from pipeline.config.contract import load_contract
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.config.parameters import load
from pipeline.data.executor import part_executor
from pipeline.source.parameters import IngestionParameters

# The documents that the schema is compared with, and how long the server may take for them, in seconds.
SAMPLE, SAMPLE_TIMEOUT = 1_000, 5.0
# How long a check of this machine may take, and how long one of a server, in seconds. On an idle machine, all
# of them take five. A loaded one imports slowly, which is not wrong.
LOCAL_TIMEOUT, SERVER_TIMEOUT = 600.0, 20.0


def parameters() -> str:
    """Check params.yaml in a separate process, which imports scikit-learn while other checks run.

    Raises:
        ConfigurationError: a stage would refuse its section.
    """
    words = [sys.executable, "-m", "operations.readiness.parameters"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        message = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ConfigurationError(message.removeprefix("parameters: "))
    return done.stdout.strip()


def workers() -> str:
    """Connect to the cluster of DASK_SCHEDULER, if it is set, and check that its workers have our code."""
    with part_executor(1):
        return "DASK_SCHEDULER" if os.environ.get("DASK_SCHEDULER") else "threads of this process"


def schema() -> str:
    """Compare the schema with a small sample of the collection. The embedded server is not started.

    Raises:
        PipelineError: a retrain would fail.
    """
    ingestion = load("ingestion", IngestionParameters)
    contract = load_contract()
    if ingestion.source == "sample":
        return "not compared with the sample: 'pipeline schema check' does it"
    try:
        with reading(ingestion, everything=False, most=SAMPLE, seconds=SAMPLE_TIMEOUT) as documents:
            found = compare(documents, contract)
    except NoSampleInTimeError as error:
        return f"not compared ({error}): 'pipeline schema check' takes the time"
    if found.failures:
        raise PipelineError(f"a retrain would fail: {'; '.join(found.failures)}")
    if not found.lines:
        return found.summary
    return f"{found.summary}; {len(found.lines)} differences or warnings: see pipeline schema check"


LOCAL: dict[str, Check] = {
    "parameters": parameters,
    "packages": packages,
    "identity": identity,
    "dvc": dvc,
}
SERVERS: dict[str, Check] = {"workers": workers, **RIGHTS, "schema": schema}


def report() -> Iterator[tuple[bool, str]]:
    """Yield for each check whether it passed, and its line."""
    answers = ask(LOCAL, LOCAL_TIMEOUT)
    import mlflow  # noqa: F401 - its seconds are not the server's

    answers |= ask(SERVERS, SERVER_TIMEOUT)
    for name, text in (answers | all_wrong(answers)).items():
        well = isinstance(answers[name], str)
        yield well, f"{'ok' if well else 'wrong':<6}{name:<12}{text}"
