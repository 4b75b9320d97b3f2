"""Serves a version once with MLflow's code before it becomes champion."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from operations.console import echo
from operations.versions.loading import download
from operations.versions.registry import Registry
from operations.versions.served_answers import Requests, answers_of
from operations.versions.version import Version
from pipeline.config.contract import Contract, load_contract
from pipeline.config.errors import cause_of
from pipeline.data.artifacts import MODEL, TEST
from pipeline.modelling.features import read_split

import joblib
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

# The number of rows of the holdout that are sent.
ROWS = 5
# The last bits of a linear model's sum may differ.
TOLERANCE = 1e-9
UNSEEN = "a category that training has not seen"


def reasons_not_to_serve(registry: Registry, version: Version) -> list[str]:
    """Return why the model in MLflow must not be served; empty if it answers like the model in DVC.

    The workspace must be the version's. A new process without this project loads the model and answers
    requests with MLflow's own code.

    Raises:
        PipelineError: MLflow is away.
    """
    echo(f"publishing: serving version {version.number} once")
    with TemporaryDirectory() as folder:
        path = download(registry, version, folder)
        requests = requests_for(path, read_split(TEST).head(ROWS), load_contract())
        answers = answers_of(path, requests)
    if isinstance(answers, str):
        return [f"the served model {answers}"]
    try:
        model = joblib.load(MODEL)
        with threadpool_limits(limits=1):
            expected = {name: model.predict_proba(_frame(body)) for name, body in requests.items()}
    except (MemoryError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - a model can raise anything
        return [f"the model in DVC fails on a request that the served model answers: {cause_of(error)}"]
    return [
        f"the served model and the model in DVC give different answers: {name}"
        for name, answer in answers.items()
        if np.shape(answer) != expected[name].shape
        or not np.allclose(answer, expected[name], rtol=0, atol=TOLERANCE)
    ]


def requests_for(path: Path, rows: pd.DataFrame, contract: Contract) -> Requests:
    """Return requests as JSON: the input example of a logged model, and rows with nulls and unseen values."""
    records = rows[list(contract.features)].astype(object).to_dict("records")
    sent = [{str(name): None if pd.isna(value) else value for name, value in row.items()} for row in records]
    nullable = [name for name, column in contract.features.items() if column.nullable]
    categories = [name for name, column in contract.features.items() if column.type == "category"]
    null, unseen = sent[0] | dict.fromkeys(nullable), sent[0] | dict.fromkeys(categories, UNSEEN)
    requests = {"rows of the holdout": sent, "null in each nullable column": [null]}
    requests |= {"an unseen category in each": [unseen], "rows with and without nulls": [*sent, null, unseen]}
    example = path / "serving_input_example.json"
    own = {"the input example": example.read_text(encoding="utf-8")} if example.exists() else {}
    return own | {name: _body(some) for name, some in requests.items()}


def _body(rows: list[dict[str, Any]]) -> str:
    split = {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}
    return json.dumps({"dataframe_split": split}, default=str)


def _frame(body: str) -> pd.DataFrame:
    split = json.loads(body)["dataframe_split"]
    return pd.DataFrame(split["data"], columns=split["columns"])
