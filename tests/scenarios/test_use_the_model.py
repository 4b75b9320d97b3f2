"""The recipes of docs/use-the-model.md run as written."""

import re
from typing import Any

from customers import customer
from project import ROOT, Project

import mlflow
from pymongo.database import Database

RECIPES = re.findall(r"```python\n(.*?)```", (ROOT / "docs/use-the-model.md").read_text(), re.DOTALL)


def test_the_champion_scores_a_data_frame_and_a_collection(
    ready: Project, database: Database[dict[str, Any]], mongo_uri: str
) -> None:
    uri = f"sqlite:///{ready.root}/mlflow.db"
    run = mlflow.MlflowClient(uri).search_runs(["1"])[0].info.run_id
    mlflow.set_tracking_uri(uri)
    mlflow.register_model(f"runs:/{run}/model", "churn-pipeline")
    client = mlflow.MlflowClient(uri)
    client.set_registered_model_alias("churn-pipeline", "champion", "1")
    database.customers.insert_many([customer(number) for number in range(30)])
    ready.set(
        ingestion__source="mongodb", ingestion__database=database.name, ingestion__collection="customers"
    )
    env = {"MLFLOW_TRACKING_URI": uri, "MONGODB_URI": mongo_uri, "PYTHONPATH": "src"}

    frame, collection = (ready.run("python", "-c", recipe, **env).stdout for recipe in RECIPES)

    assert "probability" in frame.splitlines()[0]
    assert "[5 rows x " in frame
    lines = [line.split(",") for line in collection.splitlines()]
    assert len(lines) == 30
    assert all(0 < float(probability) < 1 for _, probability in lines)
