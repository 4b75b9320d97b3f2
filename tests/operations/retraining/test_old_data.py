"""The lock of an older version's data."""

from pathlib import Path

from operations.retraining.old_data import lock_data_of, override
from pipeline.config.errors import ConfigurationError, PipelineError
from project import Project

import pytest


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A repository with a lock and parameters, as the current folder."""
    project = Project(tmp_path)
    (tmp_path / "dvc.lock").write_text("stages: {ingestion: {}, validation: {}, transformation: {}}\n")
    (tmp_path / "params.yaml").write_text("training: {random_forest: {n_estimators: 10}}\n")
    project.git("init", "-q")
    project.git("add", "-A")
    project.git("commit", "-qm", "One")
    monkeypatch.chdir(tmp_path)
    return project


@pytest.mark.parametrize("lock", ["", "stages:\n<<<<<<< HEAD\n  ingestion: {}\n", "schema: '2.0'\n"])
def test_invalid_lock_is_named(lock: str, here: Project) -> None:
    (here.root / "dvc.lock").write_text(lock)

    with pytest.raises(PipelineError, match=r"^dvc\.lock, as committed, is not a valid lock: "):
        lock_data_of("HEAD")


def test_missing_parameter_has_advice(here: Project) -> None:
    name = "training.random_forest.class_weight"

    with pytest.raises(ConfigurationError) as missed:
        override([f"{name}=balanced"])

    assert str(missed.value).startswith(f"--set-param {name}=balanced: Could not override '{name}'.")
    assert str(missed.value).endswith(" '+NAME=VALUE' adds a parameter that params.yaml does not name yet.")
    override([f"+{name}=balanced"])
    assert "class_weight: balanced" in here.params.read_text()
    assert here.git("log", "-1", "--format=%s") == f"Set +{name}=balanced\n"


@pytest.mark.parametrize("change", ["training.random_state", "training.random_state={"])
def test_malformed_override_has_no_text_of_the_parser(here: Project, change: str) -> None:
    with pytest.raises(ConfigurationError, match=r": expected NAME=VALUE; put a value .* in quotes$"):
        override([change])


@pytest.mark.parametrize(
    "change", ["ingestion.database=x", "+schema.id=x", "mlflow.registered_model=x", "training.x=${HOME}"]
)
def test_override_of_a_data_parameter_is_refused(change: str) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing of ingestion, schema, mlflow: the data is kept"):
        override([change])
