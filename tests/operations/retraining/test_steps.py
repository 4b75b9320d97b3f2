"""The steps of a retrain, apart from its transaction."""

from threading import Event

from operations.retraining import steps
from pipeline.config.errors import PipelineError
from project import Project

import pytest

# The stages are done already. Then publishing reads Parquet, in the main thread.
CODE = """
import sys
from operations.retraining import steps
from pipeline.data.artifacts import TEST
steps.repro = lambda *words: None
assert "mlflow" not in sys.modules
steps.run_stages()
print("mlflow" in sys.modules)
import pyarrow.parquet as pq
for part in [*TEST.iterdir()] * 3:
    assert len(pq.ParquetFile(part).read())
"""


def test_mlflow_is_imported_while_stages_run(ready: Project) -> None:
    assert ready.run("python", "-c", CODE, PYTHONPATH="src").stdout == "True\n"


def test_failed_stage_does_not_wait_for_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: str) -> None:
        raise PipelineError("training: no rows")

    answered = Event()
    monkeypatch.setattr(steps, "open_registry", answered.wait)
    monkeypatch.setattr(steps, "repro", fail)

    with pytest.raises(PipelineError, match="training: no rows"):
        steps.run_stages()
    answered.set()


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("error", [PipelineError("MLflow does not answer"), OSError(28, "No space left")])
def test_error_of_mlflow_is_left_to_publishing(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise error

    stages = []
    monkeypatch.setattr(steps, "Registry", fail)
    monkeypatch.setattr(steps, "repro", lambda *words: stages.append(words))

    steps.run_stages("--force")

    assert stages == [("--force",)]
