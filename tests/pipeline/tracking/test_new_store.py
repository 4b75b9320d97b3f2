"""A new MLflow database is a copy of the environment's empty one."""

from pathlib import Path

from pipeline.tracking import new_store
from pipeline.tracking.new_store import prepare_store

import mlflow
import pytest
from mlflow.store.db import utils


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of an environment's template, which does not exist yet."""
    path = tmp_path / "environment/mlflow.db"
    monkeypatch.setattr(new_store, "template", lambda: path)
    return path


@pytest.mark.slow
def test_mlflow_creates_tables_once_for_an_environment(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A path whose characters have a meaning in a URI, in a folder that does not exist
    one, two = (tmp_path / name / "100%?/mlflow.db" for name in ("one", "two"))
    uris = [f"sqlite:///{str(file).replace('%', '%25').replace('?', '%3F')}" for file in (one, two)]
    prepare_store(uris[0])
    # From here on, MLflow cannot create tables
    monkeypatch.setattr(utils, "_initialize_tables", lambda _: pytest.fail("the tables are created again"))
    prepare_store(uris[1])

    assert template.read_bytes() == one.read_bytes() == two.read_bytes()
    assert [path.name for path in (*one.parent.iterdir(), *template.parent.iterdir())] == ["mlflow.db"] * 2
    clients = [mlflow.MlflowClient(uri) for uri in uris]
    # MLflow checks the schema, and adds its default experiment.
    assert [client.create_experiment("churn", artifact_location="a") for client in clients] == ["1", "1"]

    # A store with content stays as it is.
    prepare_store(uris[0])
    assert clients[0].get_experiment_by_name("churn")


def test_store_of_another_process_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mlflow.db"
    monkeypatch.setattr(new_store, "_empty_database", lambda: b"e" * file.write_bytes(b"theirs"))

    prepare_store(f"sqlite:///{file}")

    assert file.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("uri", ["http://localhost:1", "postgresql://host/mlflow", "sqlite:////proc/no/m.db"])
def test_other_stores_are_left_to_mlflow(template: Path, uri: str) -> None:
    prepare_store(uri)

    assert not template.exists()
