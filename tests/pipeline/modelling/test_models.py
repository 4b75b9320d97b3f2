"""The models: inputs, unseen and missing values, derived features, bytes."""

import json
from typing import Any

from algorithms import INSTALLED
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.modelling.parameters import TrainingParameters
from stages import contract_with, failure, row, table
from training import train

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

pytestmark = pytest.mark.slow

ROWS = 400
BLOCKS: dict[str, dict[str, Any]] = {
    "hist_gradient_boosting": {"max_iter": 20, "max_features": 0.5},
    "random_forest": {"n_estimators": 20},
    "logistic_regression": {"max_iter": 1000},
    "lightgbm": {"n_estimators": 20, "colsample_bytree": 0.5},
}
# The same holds for a calibrated model.
CALIBRATION = {"random_forest": "isotonic", "logistic_regression": "sigmoid"}
DERIVED = {"average": "total_charges / tenure_months", "long": "tenure_months > 24", "twice": "average * 2"}
CONTRACT = contract_with(
    opened={"path": "opened", "type": "datetime", "nullable": True},
    channel={"path": "channel", "type": "category", "nullable": True},
    visits={"path": "visits", "type": "integer", "nullable": True},
    partner={"path": "partner", "type": "boolean", "nullable": True},
    notes={"path": "notes", "type": "string", "nullable": True},
)


def example(count: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Return rows as transformation writes them, with nulls in all nullable columns."""
    rng = np.random.default_rng(seed)

    def maybe(values: Any) -> list[Any]:
        return [None if rng.random() < 0.2 else value for value in values]

    rows = [row(number) for number in range(count)]
    columns: dict[str, list[Any]] = {
        "opened": maybe(
            [pd.Timestamp("2024-01-01") + pd.Timedelta(days=int(d)) for d in rng.integers(0, 700, count)]
        ),
        "channel": maybe(rng.choice(["web", "shop", "phone"], count).tolist()),
        "visits": maybe(rng.integers(0, 9, count).tolist()),
        "partner": maybe((rng.random(count) < 0.5).tolist()),
        "notes": maybe([f"note {i}" for i in range(count)]),
    }
    for name, values in columns.items():
        for one, value in zip(rows, values, strict=True):
            one[name] = value
    frame: pd.DataFrame = table(rows, CONTRACT).to_pandas()
    return frame


FRAME = example()
FEATURES, TARGET = FRAME[list(CONTRACT.features)], FRAME["churned"].astype("int8")


def parameters(algorithm: str, **changes: Any) -> TrainingParameters:
    return TrainingParameters.model_validate(
        {
            "algorithm": algorithm,
            algorithm: BLOCKS[algorithm],
            "calibration": CALIBRATION.get(algorithm, "none"),
            "derived_features": DERIVED,
        }
        | changes
    )


@pytest.fixture(scope="module", params=INSTALLED)
def model(request: pytest.FixtureRequest) -> Pipeline:
    """A fitted model of each algorithm."""
    return train(FEATURES, TARGET, parameters(request.param), CONTRACT)


def probability(model: Pipeline, frame: pd.DataFrame) -> np.ndarray:
    with threadpool_limits(limits=1):
        found: np.ndarray = model.predict_proba(frame)[:, 1]
    assert np.isfinite(found).all()
    return found


def test_training_leaves_its_input_alone() -> None:
    before = FEATURES.copy(deep=True)

    train(FEATURES, TARGET, parameters("hist_gradient_boosting"), CONTRACT)

    pd.testing.assert_frame_equal(FEATURES, before)


def test_model_is_better_than_chance(model: Pipeline) -> None:
    found = probability(model, FEATURES)

    assert found[TARGET == 1].mean() > found[TARGET == 0].mean() + 0.1


def test_target_id_and_text_are_not_inputs(model: Pipeline) -> None:
    assert set(model.feature_names_in_) == set(CONTRACT.columns) - {"churned", "notes"}
    made = model[:-2].transform(FEATURES)
    assert not {"churned", "_id", "notes"} & set(made.columns)


def test_an_unseen_category_is_unknown(model: Pipeline) -> None:
    unseen = FEATURES.assign(channel="telepathy", contract="weekly")

    found = probability(model, unseen)

    # It has the same effect as no category.
    assert found == pytest.approx(probability(model, FEATURES.assign(channel="other", contract="none")))
    if "logistic_regression" not in str(model):
        assert np.ptp(found) > 0


def test_a_customer_can_be_predicted_from_json(model: Pipeline) -> None:
    # With nulls a column has objects, dates are texts, and a charge without a fraction is an integer.
    customer = json.loads(FEATURES.astype({"opened": str}).iloc[[3]].to_json(orient="records"))[0]
    customer = {name: None if value in ("NaT", "nan") else value for name, value in customer.items()}
    plain = pd.DataFrame([customer])
    assert probability(model, plain) == pytest.approx(probability(model, FEATURES.iloc[[3]]))

    # The contract forbids null in some of these columns, but a request to the served model may have it.
    for name in customer:
        probability(model, pd.DataFrame([customer | {name: None}]))
    probability(model, pd.DataFrame([dict.fromkeys(customer)]))
    assert probability(model, plain.assign(monthly_charges=50)) == probability(
        model, plain.assign(monthly_charges=50.0)
    )


def test_prediction_does_not_depend_on_other_rows(model: Pipeline) -> None:
    together = probability(model, FEATURES.head(6))

    alone = [probability(model, FEATURES.iloc[[number]])[0] for number in range(6)]

    assert alone == pytest.approx(together.tolist(), rel=1e-12)


def test_other_columns_and_another_order_change_nothing(model: Pipeline) -> None:
    stored = FRAME[list(reversed(FRAME.columns))]

    assert (probability(model, stored) == probability(model, FEATURES)).all()


def test_derived_features_are_computed_by_the_model(model: Pipeline) -> None:
    made = model[:-2].transform(FEATURES)

    with np.errstate(divide="ignore", invalid="ignore"):
        average = FEATURES["total_charges"].to_numpy() / FEATURES["tenure_months"].to_numpy()
    expected = np.where(np.isfinite(average), average, np.nan)
    np.testing.assert_array_equal(made["average"], expected)
    np.testing.assert_array_equal(made["twice"], expected * 2)
    np.testing.assert_array_equal(made["long"], FEATURES["tenure_months"] > 24)
    np.testing.assert_array_equal(made["opened_year"], FEATURES["opened"].dt.year)
    np.testing.assert_array_equal(made["opened_month"], FEATURES["opened"].dt.month)
    np.testing.assert_array_equal(made["opened_day_of_week"], FEATURES["opened"].dt.day_of_week)


def test_a_division_by_zero_is_a_missing_value(model: Pipeline) -> None:
    # In training, customers of zero months have no charges: here the quotient is infinite.
    assert (FEATURES["total_charges"].isna() == (FEATURES["tenure_months"] == 0)).all()

    charged = FEATURES.head(5).assign(tenure_months=0, total_charges=[1.0, -1.0, 0.0, np.nan, 1e30])

    assert np.isnan(model[:-2].transform(charged)["average"]).all()
    probability(model, charged)


@pytest.mark.parametrize("algorithm", INSTALLED)
@pytest.mark.parametrize(
    "columns",
    [
        {"visits": 3, "channel": "web", "partner": True, "opened": pd.Timestamp("2026-01-31")},
        {"visits": [0] * (ROWS - 1) + [1]},
    ],
    ids=["constant", "nearly constant"],
)
def test_constant_columns_are_accepted(algorithm: str, columns: dict[str, Any]) -> None:
    frame = FEATURES.assign(**columns)

    model = train(frame, TARGET, parameters(algorithm), CONTRACT)

    probability(model, FEATURES)


@pytest.mark.parametrize("algorithm", INSTALLED)
@pytest.mark.parametrize("kind", ["integer", "number", "boolean", "category", "datetime"])
def test_one_column_of_any_type_is_enough(algorithm: str, kind: str) -> None:
    names = {"integer": "visits", "number": "total_charges", "boolean": "partner", "category": "channel"}
    name = names.get(kind, "opened")
    columns = {only: CONTRACT.columns[only] for only in ("churned", name)}
    contract = CONTRACT.model_copy(update={"columns": columns})

    model = train(FEATURES[[name]], TARGET, parameters(algorithm, derived_features={}), contract)

    probability(model, FEATURES[[name]])


def test_column_of_nulls_is_named() -> None:
    empty = FEATURES.assign(visits=np.nan)

    message = failure(
        lambda: train(empty, TARGET, parameters("random_forest"), CONTRACT) and None, PipelineError
    )

    assert message == "visits is null on every train row: remove it from schema.columns"


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_refusal_of_the_algorithm_is_one_line() -> None:
    huge = FEATURES.assign(monthly_charges=1e300)

    message = failure(
        lambda: train(huge, TARGET, parameters("random_forest"), CONTRACT) and None, PipelineError
    )

    assert message.startswith("training.random_forest cannot be fitted: Input X contains infinity")


def test_an_impossible_derived_feature_is_refused_before_the_fit() -> None:
    wrong = parameters("random_forest", derived_features={"ratio": "visits / visit"})

    message = failure(lambda: train(FEATURES, TARGET, wrong, CONTRACT) and None, ConfigurationError)

    assert message.startswith("params.yaml: training.derived_features.ratio: ")


def test_derived_feature_of_a_huge_integer_is_computed() -> None:
    features = FEATURES.assign(tenure_months=2**62)
    model = train(features, TARGET, parameters("random_forest", derived_features=DERIVED), CONTRACT)

    assert model.predict_proba(features.head(2)).shape == (2, 2)


def test_random_state_changes_the_model() -> None:
    found = [
        probability(train(FEATURES, TARGET, parameters("random_forest", random_state=s), CONTRACT), FEATURES)
        for s in (0, 0, 1)
    ]

    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()
