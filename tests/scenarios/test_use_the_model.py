"""The recipes of docs/use-the-model.md run as written."""

import re
from importlib.metadata import version
from typing import Any

from customers import customer
from project import ROOT, Project

import mlflow
import pytest
from bson import Decimal128
from pymongo.database import Database

RECIPES = re.findall(r"```python\n(.*?)```", (ROOT / "docs/use-the-model.md").read_text(), re.DOTALL)


def test_the_champion_scores_a_data_frame_and_a_collection(
    ready: Project, database: Database[dict[str, Any]], mongo_uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = f"sqlite:///{ready.root}/mlflow.db"
    run = mlflow.MlflowClient(uri).search_runs(["1"])[0].info.run_id
    mlflow.set_tracking_uri(uri)
    mlflow.register_model(f"runs:/{run}/model", "churn-pipeline")
    client = mlflow.MlflowClient(uri)
    client.set_registered_model_alias("churn-pipeline", "champion", "1")
    documents = [customer(number) for number in range(30)]
    # One without a target, one with an amount as money, and one that the schema does not accept
    del documents[3]["churned"]
    documents[4]["billing"]["monthly_charges"] = Decimal128("70.50")
    documents[5]["account"]["tenure_months"] = "long"
    database.customers.insert_many(documents)
    ready.set(
        ingestion__source="mongodb", ingestion__database=database.name, ingestion__collection="customers"
    )
    env = {"MLFLOW_TRACKING_URI": uri, "MONGODB_URI": mongo_uri, "PYTHONPATH": "src"}

    packages, *scoring = RECIPES
    # A process would import MLflow once more.
    exec(packages, {})
    frame, collection = (ready.run("python", "-c", recipe, **env) for recipe in scoring)

    assert f"scikit-learn=={version('scikit-learn')}" in capsys.readouterr().out
    assert {"probability", "positive"} <= set(frame.stdout.splitlines()[0].split())
    assert "[5 rows x " in frame.stdout
    header, *lines = [line.split(",") for line in collection.stdout.splitlines()]
    assert header == ["id", "probability", "positive"]
    assert [identity for identity, _, _ in lines] == [one["_id"] for one in documents if one != documents[5]]
    assert all((float(probability) >= 0.5) == (positive == "True") for _, probability, positive in lines)
    assert "T-0000005 tenure_months: is a string, not an integer" in collection.stderr
