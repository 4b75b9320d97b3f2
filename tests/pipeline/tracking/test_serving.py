"""MLflow answers like the model in DVC, for every request format that it accepts."""

import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from algorithms import INSTALLED
from evaluation import evaluate
from pipeline.config.contract import Contract
from pipeline.data.features import features
from pipeline.modelling.parameters import EvaluationParameters, TrainingParameters
from pipeline.tracking.runs import serving
from project import environment, free_port, wait_for
from stages import contract_with, row, table, target_and
from training import train

import joblib
import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
import psutil
import pytest
import requests
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.scoring_server import invocations
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

BLOCKS: dict[str, dict[str, Any]] = {
    "hist_gradient_boosting": {"max_iter": 20, "min_samples_leaf": 5},
    "random_forest": {"n_estimators": 10},
    "logistic_regression": {"max_iter": 1000},
    "lightgbm": {"n_estimators": 20, "min_child_samples": 5},
}
CONTRACT = contract_with(
    opened={"path": "opened", "type": "datetime", "nullable": True},
    channel={"path": "channel", "type": "category", "nullable": True},
    visits={"path": "visits", "type": "integer", "nullable": True},
    partner={"path": "partner", "type": "boolean", "nullable": True},
)
DERIVED = {"paid": "partner * monthly_charges", "late": "(opened > '2022-01-01') & partner"}
pytestmark = pytest.mark.slow
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(-10, 10) | st.integers(-(2**53), 2**53),
    "number": st.floats(-1e6, 1e6) | st.integers(-9, 9).map(float),
    "boolean": st.booleans(),
    "category": st.sampled_from(["one year", "two year", "web", "shop", "1", "", "None", "nan", "telepathy"]),
    # A date in the features is exact to the millisecond.
    "datetime": st.integers(0, 2**42).map(lambda ms: datetime(1970, 1, 1) + timedelta(milliseconds=ms)),  # noqa: DTZ001
}
OFFSETS = [None, UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))]
Row = dict[str, Any]


def typed_frame(rows: list[Row], contract: Contract) -> pd.DataFrame:
    """Return the features of rows as training and evaluation read them."""
    frame: pd.DataFrame = features(table(rows, contract), contract).to_pandas()
    return frame[list(contract.features)]


def forms(sent: list[Row]) -> Iterator[tuple[str, Row]]:
    """Return the JSON bodies that MLflow's server accepts for rows."""
    columns = list(sent[0])
    by_column = {name: [one[name] for one in sent] for name in columns}
    yield "dataframe_records", {"dataframe_records": sent}
    data = [[one[name] for name in columns] for one in sent]
    yield "dataframe_split", {"dataframe_split": {"columns": columns, "data": data}}
    yield "inputs", {"inputs": sent}
    yield "inputs by column", {"inputs": by_column}
    yield "instances", {"instances": sent}
    yield "instances by column", {"instances": by_column}


@dataclass
class Both:
    """One model, in DVC and in MLflow."""

    contract: Contract
    kept: Pipeline
    served: mlflow.pyfunc.PyFuncModel
    folder: Path

    def answer(self, body: Row | bytes, kind: str = "application/json") -> np.ndarray:
        """Return the answer of MLflow's server code."""
        data = body if isinstance(body, bytes) else json.dumps(body)
        schema = self.served.metadata.get_input_schema()
        return np.array(json.loads(invocations(data, kind, self.served, schema).response)["predictions"])

    def check(self, rows: list[Row], sent: list[Row]) -> None:
        """Compare each answer with the prediction for the same rows."""
        frame = typed_frame(rows, self.contract)
        expected = self.kept.predict_proba(frame)
        assert np.array_equal(self.kept.predict_proba(pd.DataFrame(sent)), expected)
        texts = all(isinstance(value, str) for one in sent for value in one.values())
        for name, body in forms(sent):
            if texts and name.endswith("by column"):
                # MLflow reads lists of texts alone as one row of lists.
                with pytest.raises(MlflowException):
                    self.answer(body)
            else:
                assert np.array_equal(self.answer(body), expected), name
        parquet = io.BytesIO()
        frame.to_parquet(parquet)
        assert np.array_equal(self.answer(parquet.getvalue(), "application/vnd.apache.parquet"), expected)
        dates = frame.select_dtypes("datetime")
        zones = dates.apply(lambda date: date.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"))
        for given_frame in (frame, frame.convert_dtypes(), frame.astype(object), frame.assign(**zones)):
            assert np.array_equal(self.served.predict(given_frame), expected)


def made(folder: Path, contract: Contract, rows: list[Row], algorithm: str, derived: dict[str, str]) -> Both:
    """Train on rows, and save the model as the stages do."""
    parameters = TrainingParameters.model_validate(
        {"algorithm": algorithm, algorithm: BLOCKS[algorithm], "derived_features": derived}
    )
    frame = typed_frame(rows, contract)
    target = pd.Series([one[contract.target.column] for one in rows]).astype("int8")
    joblib.dump(train(frame, target, parameters, contract), folder / "model.joblib")
    kept = joblib.load(folder / "model.joblib")
    mlflow.sklearn.save_model(kept, folder / "mlflow", **serving(contract, frame.head(5), algorithm))
    return Both(contract, kept, mlflow.pyfunc.load_model(str(folder / "mlflow")), folder / "mlflow")


def training_rows(count: int = 300) -> list[Row]:
    """Return rows with nulls in one column; scored rows have nulls in others too."""
    random = np.random.default_rng(0)
    return [
        row(
            number,
            total_charges=float(number),
            opened=datetime(2020, 1, 1) + timedelta(days=int(random.integers(0, 2000))),  # noqa: DTZ001
            channel=str(random.choice(["web", "shop"])),
            visits=int(random.integers(0, 9)),
            # Null is predictive here, so the model treats it as neither true nor false.
            **({"partner": None, "churned": True} if number % 5 == 0 else {"partner": number % 2 == 0}),
        )
        for number in range(count)
    ]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Predict a few rows in one thread, which is faster than several."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="module", params=INSTALLED)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """A model of each algorithm with columns of all types."""
    return made(tmp_path_factory.mktemp("model"), CONTRACT, training_rows(), request.param, DERIVED)


def spelled(value: Any, draw: Any) -> Any:
    """Return a value in one of the formats that clients send."""
    if isinstance(value, datetime):
        offset = draw(st.sampled_from(OFFSETS))
        aware = value if offset is None else value.replace(tzinfo=UTC).astimezone(offset)
        return aware.isoformat().replace("+00:00", "Z")
    if type(value) is int:
        return draw(st.sampled_from([value, float(value)]))
    return int(value) if isinstance(value, float) and value.is_integer() and draw(st.booleans()) else value


def some_rows(contract: Contract, draw: Any) -> tuple[list[Row], list[Row]]:
    """Draw a few rows with nulls in any column, and the same rows as a client sends them."""
    columns = {name: st.none() | VALUES[column.type] for name, column in contract.features.items()}
    rows = draw(st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=4))
    sent = [{name: spelled(value, draw) for name, value in one.items()} for one in rows]
    return [{"_id": "x", contract.target.column: True} | one for one in rows], sent


@settings(max_examples=6)
@given(data=st.data())
def test_score_does_not_depend_on_the_request_format(model: Both, data: st.DataObject) -> None:
    model.check(*some_rows(CONTRACT, data.draw))


# Shrinking an example would train many models.
@settings(max_examples=5, phases=[Phase.reuse, Phase.generate])
@given(data=st.data())
def test_any_schema_is_served_as_trained(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    kinds = data.draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=5))
    columns = {f"{kind}_{place}": {"type": kind, "nullable": True} for place, kind in enumerate(kinds)}
    contract = target_and(**columns)
    random = np.random.default_rng(0)
    value = {
        "integer": lambda: int(random.integers(0, 9)),
        "number": lambda: float(random.normal()),
        "boolean": lambda: bool(random.random() < 0.5),
        "category": lambda: str(random.choice(["web", "shop", "1"])),
        "datetime": lambda: datetime(2020, 1, 1) + timedelta(days=int(random.integers(0, 2000))),  # noqa: DTZ001
    }
    share = data.draw(st.sampled_from([0, 0.2]))
    rows: list[Row] = [
        {"_id": "x", "y": number % 3 == 0}
        | {
            name: None if random.random() < share else value[str(column["type"])]()
            for name, column in columns.items()
        }
        for number in range(80)
    ]
    twice = {f"twice_{name}": f"{name} * 2" for name in columns if name[0] in "inb"}
    algorithm = data.draw(st.sampled_from(sorted(INSTALLED)))
    both = made(tmp_path_factory.mktemp("schema"), contract, rows, algorithm, twice)

    both.check(*some_rows(contract, data.draw))


ROW: Row = {
    "contract": "one year",
    "tenure_months": 30,
    "paperless": True,
    "monthly_charges": 20.5,
    "total_charges": 615.0,
    "opened": "2020-05-01T00:00:00",
    "channel": "web",
    "visits": 3,
    "partner": True,
}


def test_a_null_is_not_false(model: Both) -> None:
    sent = [ROW | {"partner": value} for value in (True, None, False)]

    for rows in (sent, [sent[1]]):
        expected = model.kept.predict_proba(pd.DataFrame(rows))
        for name, body in forms(rows):
            assert np.array_equal(model.answer(body), expected), name
    _, null, false = model.answer({"dataframe_records": sent})[:, 1]
    assert abs(null - false) > 1e-3


def test_null_unseen_in_training_is_evaluated() -> None:
    rows = [one | {"partner": one["paperless"]} for one in training_rows()]
    target = pd.Series([one["churned"] for one in rows]).astype("int8")
    parameters = TrainingParameters(algorithm="logistic_regression", derived_features=DERIVED)
    fitted = train(typed_frame(rows, CONTRACT), target, parameters, CONTRACT)
    holdout = features(table([one | {"partner": None} for one in rows[:5]] + rows, CONTRACT), CONTRACT)

    slices = EvaluationParameters(slice_by=("partner",))
    metrics, *_ = evaluate(fitted, holdout.to_pandas(), CONTRACT, slices)

    assert metrics["slices"]["partner"]["null"]["rows"] == 5
    assert metrics["roc_auc"] > 0.5


def test_the_same_instant_has_the_same_score(model: Both) -> None:
    texts = [
        "2020-05-01",
        "2020-05-01T00:00:00Z",
        "2020-04-30T20:00:00-04:00",
        "2020-05-01 02:00:00.000+02:00",
    ]
    sent = [ROW | {"opened": text} for text in texts]
    later = ROW | {"opened": "2023-05-02"}

    for name, body in forms([*sent, later]):
        found = model.answer(body)
        # The last bit may depend on the position in a batch.
        assert np.ptp(found[:4, 1]) == pytest.approx(0, abs=1e-12), name
        assert abs(found[4] - found[0]).max() > 1e-6
    for zone in ("UTC", "America/New_York"):
        frame = pd.DataFrame([ROW]).assign(opened=pd.Timestamp("2020-05-01", tz="UTC").tz_convert(zone))
        for predict in (model.served.predict, model.kept.predict_proba):
            assert predict(frame) == pytest.approx(found[:1], rel=1e-12)


@pytest.mark.parametrize("model", ["random_forest"], indirect=True)
@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("monthly_charges", "abc", "not a number: abc"),
        ("monthly_charges", "12", "not a number: 12"),
        ("tenure_months", "nan", "not a number: nan"),
        ("partner", "false", "partner"),
        ("partner", 2, "partner"),
        ("paperless", 0.5, "paperless"),
        ("channel", 1, "channel"),
        ("contract", True, "contract"),
        ("opened", "05/06/2020", "05/06/2020 is not ISO8601"),
        ("opened", 1588291200, "1588291200.0 is not ISO8601"),
        ("opened", 1588291200.5, "1588291200.5 is not ISO8601"),
    ],
)
def test_another_type_is_refused(model: Both, column: str, value: Any, words: str) -> None:
    sent = [ROW | {column: None}, ROW | {column: value}]

    with pytest.raises((ValueError, TypeError), match=words):
        model.kept.predict_proba(pd.DataFrame(sent))
    for _, body in forms(sent):
        with pytest.raises(MlflowException) as caught:
            model.answer(body)
        assert words in caught.value.serialize_as_json()


@pytest.mark.parametrize("model", ["random_forest"], indirect=True)
def test_a_column_that_is_missing_is_refused(model: Both) -> None:
    without = {name: value for name, value in ROW.items() if name != "partner"}

    with pytest.raises(ValueError, match="partner"):
        model.kept.predict_proba(pd.DataFrame([without]))
    for _, body in forms([without]):
        with pytest.raises(MlflowException, match="partner"):
            model.answer(body)


def test_a_real_server_answers_as_the_model_in_dvc(tmp_path: Path) -> None:
    both = made(tmp_path, CONTRACT, training_rows(), "hist_gradient_boosting", DERIVED)
    sent = [
        ROW,
        ROW | {"partner": None, "visits": None, "opened": "2020-05-01T02:00:00+02:00"},
        ROW | {"channel": "telepathy", "opened": None, "tenure_months": 7.0, "monthly_charges": 20},
        dict.fromkeys(ROW),
    ]
    expected = both.kept.predict_proba(pd.DataFrame(sent))
    port, log = free_port(), tmp_path / "log"
    words = ["mlflow", "models", "serve", "--model-uri", str(both.folder), "--env-manager", "local"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*words, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            # The server has no code of the project.
            env=environment(MLFLOW_DISABLE_TELEMETRY="true"),
            cwd=tmp_path,
            stdout=output,
            stderr=output,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", process, log)

        def post(body: Row) -> requests.Response:
            return requests.post(f"http://127.0.0.1:{port}/invocations", json=body, timeout=30)

        for name, body in forms(sent):
            assert np.array_equal(np.array(post(body).json()["predictions"]), expected), name
        for number, one in enumerate(sent):
            answer = post({"dataframe_records": [one]})
            assert np.array_equal(np.array(answer.json()["predictions"]), expected[[number]])
        refused = post({"dataframe_records": [ROW | {"monthly_charges": "abc"}]})
        assert refused.status_code == 400
        assert "not a number: abc" in refused.text
        missing = post({"dataframe_records": [{"partner": None}]})
        assert missing.status_code == 400
        assert "monthly_charges" in missing.text
    finally:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.terminate()
        process.terminate()
        process.wait(20)
