"""The steps of a retrain, apart from their processes."""

from threading import Event

from operations.retraining.steps import meanwhile
from pipeline.config.errors import PipelineError

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
