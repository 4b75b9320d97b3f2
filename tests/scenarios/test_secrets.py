"""The whole pipeline runs with passwords, and no file contains one afterwards."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from customers import customer
from pipeline.source.embedded_mongo import running_server
from project import Project

import pytest
from pymongo import MongoClient

# A new value for each run, so that no file of the repository contains it.
PASSWORD = f"Gr8-{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MongoDB server with a password and 1,500 customers."""
    storage = tmp_path_factory.mktemp("guarded")
    with running_server(storage) as uri, MongoClient[dict[str, Any]](uri) as client:
        client.crm.customers.insert_many([customer(number) for number in range(1500)])
        client.admin.command("createUser", "reader", pwd=PASSWORD, roles=["readAnyDatabase"])
    with running_server(storage, "--auth") as uri:
        yield uri.replace("mongodb://", f"mongodb://reader:{PASSWORD}@")


def holding(folder: Path, secret: str) -> list[str]:
    """Return the files below a folder that contain the secret, as text or in UTF-16."""
    forms = (secret.encode(), secret.encode("utf-16-le"))
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and any(form in path.read_bytes() for form in forms)
    ]


def test_no_file_log_or_tag_holds_a_password(project: Project, guarded: str) -> None:
    project.read_from(guarded, "crm")

    done = project.run("dvc", "repro", check=False)

    assert done.returncode == 0, done.stderr
    assert project.json("artifacts/validation.json")["accepted"] == 1500
    assert PASSWORD not in done.stdout + done.stderr
    # The workspace has Git, the DVC cache, the artifacts, and MLflow's database and files.
    assert (project.root / "mlflow.db").exists()
    assert (project.root / "mlartifacts").exists()
    assert holding(project.root, PASSWORD) == []


def test_failed_run_hides_the_password(project: Project, guarded: str) -> None:
    wrong = guarded.replace(PASSWORD, f"{PASSWORD}-wrong")
    project.read_from(wrong, "crm")

    done = project.run("dvc", "repro", check=False)

    assert done.returncode != 0
    assert "refused the user or the password" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert holding(project.root, PASSWORD) == []
