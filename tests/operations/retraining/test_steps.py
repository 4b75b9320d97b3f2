"""The steps of a retrain, apart from their processes."""

from threading import Event

from operations.retraining.steps import meanwhile
from pipeline.config.errors import PipelineError
from project import Project

import pytest


def test_action_runs_while_the_block_waits() -> None:
    ran = Event()

    with meanwhile(ran.set):
        assert ran.wait(60)


def test_error_of_the_action_is_left_to_a_later_step() -> None:
    def fail() -> None:
        raise PipelineError("MLflow is away")

    with meanwhile(fail):
        pass
    with pytest.raises(PipelineError, match="a stage failed"), meanwhile(fail):
        raise PipelineError("a stage failed")


def test_failed_stage_does_not_wait_for_the_action() -> None:
    failed = Event()

    with pytest.raises(PipelineError, match="a stage failed"), meanwhile(failed.wait):
        raise PipelineError("a stage failed")
    failed.set()


def test_what_publishing_needs_is_imported(ready: Project) -> None:
    code = (
        "import sys\n"
        "from operations.retraining.steps import import_publishing\n"
        "before = {*sys.modules}\n"
        "import_publishing()\n"
        "print(*sorted({'mlflow', 'sklearn'} & {*sys.modules} - before))\n"
    )
    assert ready.run("python", "-c", code, PYTHONPATH="src").stdout == "mlflow sklearn\n"
