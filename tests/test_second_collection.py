"""Another collection, other fields, another target need a change of params.yaml, not of code.

Tumours instead of customers: ObjectIds, a text as the target, a date, an integer that may be missing, a free
text, and a category without declared values.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from project import STAGES, Project

import joblib
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from bson import ObjectId
from pymongo import MongoClient
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score

CANCER = load_breast_cancer()
# For example: mean radius, radius error, worst radius.
MEASURES = {name.replace(" ", "_"): f"measures.{name.replace(' ', '.')}" for name in CANCER.feature_names}

SCHEMA: dict[str, Any] = {
    "id": "_id",
    "target": {"column": "diagnosis", "positive": "malignant"},
    "columns": {
        **{name: {"path": path, "type": "number", "minimum": 0} for name, path in MEASURES.items()},
        "age": {"path": "patient.age", "type": "integer", "minimum": 0, "nullable": True},
        "clinic": {"path": "clinic", "type": "category"},
        "examined": {"path": "examined", "type": "datetime"},
        "remark": {"path": "remark", "type": "string", "nullable": True},
        "diagnosis": {"path": "diagnosis", "type": "category", "values": ["benign", "malignant"]},
    },
}


def tumours() -> list[dict[str, Any]]:
    """Return the documents of the collection."""
    rng = random.Random(0)
    documents = []
    for number, (values, benign) in enumerate(zip(CANCER.data, CANCER.target, strict=True)):
        document: dict[str, Any] = {
            "_id": ObjectId(f"{number * 7919:024x}"),
            "patient": {"age": rng.randrange(25, 90)},
            "clinic": rng.choice(["north", "south", "at the sea"]),
            "examined": datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=rng.randrange(8000)),
            "remark": rng.choice([None, "second opinion", "seen again: 'yes'\n"]),
            "diagnosis": "benign" if benign else "malignant",
            "measures": {},
        }
        for path, value in zip(MEASURES.values(), values, strict=True):
            _, *parents, leaf = path.split(".")
            inner = document["measures"]
            for parent in parents:
                inner = inner.setdefault(parent, {})
            inner[leaf] = float(value)
        # For the contract, null and missing are the same.
        if number % 10 == 0:
            document["patient"] = {"age": None} if number % 20 else {}
        documents.append(document)
    documents[5]["measures"]["mean"]["radius"] = -1.0
    documents[6]["patient"]["age"] = "forty"
    return documents


@pytest.fixture(scope="module")
def tumour_project(
    origin: Project, mongo_uri: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """A clone whose params.yaml names the tumours, after a run of all stages."""
    folder = tmp_path_factory.mktemp("tumours") / "project"
    origin.run("git", "clone", "-q", str(origin.root), str(folder))
    project = Project(folder)
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        client["hospital"]["tumours"].insert_many(tumours())
        project.read_from(mongo_uri, "hospital", collection="tumours", rows_per_part=100)
        project.set(
            schema=SCHEMA,
            validation__min_rows=300,
            training__derived_features={"compactness": "mean_perimeter ** 2 / mean_area"},
            training__hist_gradient_boosting={"max_iter": 60},
            training__random_forest={"n_estimators": 60},
            evaluation__slice_by=["clinic"],
            evaluation__min_scores={"roc_auc": 0.95},
        )
        assert project.repro() == list(STAGES)
        yield project
        client.drop_database("hospital")


def test_no_code_was_changed(tumour_project: Project) -> None:
    changed = tumour_project.git("status", "--porcelain").split()

    assert set(changed) == {"M", "params.yaml", "dvc.lock"}


def test_every_document_is_accounted_for(tumour_project: Project) -> None:
    report = tumour_project.json("artifacts/validation.json")

    assert (report["read"], report["accepted"]) == (569, 567)
    assert report["target"]["positives"] == 212 - 2
    (by_ingestion,) = tumour_project.rejected("ingestion")
    assert by_ingestion["reasons"] == ["age: is a string, not an integer (patient.age)"]
    (by_validation,) = tumour_project.rejected("validation")
    assert by_validation["reasons"] == ["mean_radius: is -1.0, below the minimum 0"]
    assert by_validation["document"]["measures"]["mean"]["radius"] == -1.0
    assert report["columns"]["age"]["null_share"] == round(57 / 567, 6)
    assert set(report["columns"]["clinic"]["shares"]) == {"north", "south", "at the sea"}


def test_the_features_are_those_of_the_contract(tumour_project: Project) -> None:
    train, test = (
        pq.read_table(tumour_project.root / f"artifacts/features/{side}").to_pandas()
        for side in ("train", "test")
    )

    assert list(train.columns)[:2] == ["_id", "diagnosis"]
    assert set(train.columns) == {"_id", *SCHEMA["columns"]}
    assert sorted(train["diagnosis"].unique()) == [0, 1]
    assert train["_id"].str.fullmatch("[0-9a-f]{24}").all()
    assert train["_id"].is_monotonic_increasing
    assert len(train) + len(test) == 567
    assert not set(train["_id"]) & set(test["_id"])


def test_the_model_is_evaluated(tumour_project: Project) -> None:
    metrics = tumour_project.json("artifacts/evaluation/metrics.json")

    assert metrics["roc_auc"] > 0.95
    slices = tumour_project.json("artifacts/evaluation/slices.json")
    assert set(slices["clinic"]) == {"north", "south", "at the sea"}


def test_neither_slices_nor_derived_features_are_needed(tumour_project: Project) -> None:
    tumour_project.set(training__derived_features={}, evaluation__slice_by=[])

    assert tumour_project.repro() == ["training", "evaluation"]

    assert tumour_project.json("artifacts/evaluation/slices.json") == {}


@pytest.mark.parametrize("algorithm", ["hist_gradient_boosting", "random_forest", "logistic_regression"])
def test_each_algorithm_learns_and_serves(tumour_project: Project, algorithm: str) -> None:
    tumour_project.set(training__algorithm=algorithm)
    tumour_project.stage("training")

    model = joblib.load(tumour_project.root / "artifacts/model/model.joblib")
    assert set(model.feature_names_in_) == set(SCHEMA["columns"]) - {"diagnosis", "remark"}
    test = pq.read_table(tumour_project.root / "artifacts/features/test").to_pandas()
    assert roc_auc_score(test["diagnosis"], model.predict_proba(test)[:, 1]) > 0.95
    for strange in (
        test.assign(clinic="on the moon"),
        test.assign(clinic=None, age=np.nan),
        test.assign(examined=pd.NaT),
    ):
        found = model.predict_proba(strange)[:, 1]
        assert np.isfinite(found).all()
        assert np.ptp(found) > 0.5
