"""An error in params.yaml is refused in one line with the key; missing keys have defaults."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.checks.parameters import ValidationParameters
from pipeline.config.contract import Contract
from pipeline.config.errors import ConfigurationError
from pipeline.config.parameters import Section, load
from pipeline.data.features import TransformationParameters
from pipeline.modelling.parameters import EvaluationParameters, TrainingParameters
from pipeline.source.parameters import IngestionParameters
from project import PARAMS, Project
from stages import failure

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

MODELS: dict[str, type[Section]] = {
    "ingestion": IngestionParameters,
    "schema": Contract,
    "validation": ValidationParameters,
    "transformation": TransformationParameters,
    "training": TrainingParameters,
    "evaluation": EvaluationParameters,
}
COLUMN = {"path": "somewhere", "type": "number"}
# Names that an expression cannot use; pandas silently takes some of them for values.
MEANINGFUL = ["from", "class", "and", "None", "True", "inf", "Inf"]

# Searches without a value.
SEARCHES: list[tuple[str, Any]] = [
    ("random_forest.max_depth", {"low": 3, "high": 3}),
    ("random_forest.max_depth", {"low": 3, "high": 2}),
    ("random_forest.max_depth", {"low": 3}),
    ("random_forest.max_depth", {"choices": []}),
    ("random_forest.max_depth", {"choices": [3], "low": 1}),
    ("random_forest.max_depth.step", 2),
    ("random_forest.max_depth", [3, 4]),
    ("logistic_regression.C", {"low": 0, "high": 1.0, "log": True}),
]

# Key -> an impossible value; the message must name the key.
REFUSED: list[tuple[str, Any]] = [
    # Unknown keys, at each level.
    ("ingestion.colection", "customers"),
    ("schema.target.negative", False),
    ("schema.columns.tenure_months.maximun", 3),
    ("validation.max_rejects", 0.1),
    ("training.gradient_boosting", {}),
    ("evaluation.min_scores.roc", 0.8),
    # Wrong types: nothing is converted.
    ("ingestion.rows_per_part", "50000"),
    ("ingestion.rows_per_part", 1000.0),
    ("ingestion.filter", "{}"),
    ("schema.columns", []),
    ("schema.columns.tenure_months", None),
    ("schema.columns.tenure_months.nullable", "yes"),
    ("schema.columns.tenure_months.minimum", "0"),
    ("schema.columns.tenure_months.minimum", True),
    ("schema.columns.tenure_months.maximum", float("inf")),
    ("schema.columns.contract.values", [1, 2]),
    ("schema.columns.contract.values", "month-to-month"),
    ("validation.max_rejected", "0.1"),
    ("validation.max_rejected", True),
    ("validation.min_rows", 1000.5),
    ("transformation.test_size", None),
    ("training.random_state", "0"),
    ("training.derived_features", ["a"]),
    ("training.derived_features.ratio", 3),
    ("training.hist_gradient_boosting", None),
    ("evaluation.slice_by", "contract"),
    # Impossible values.
    ("ingestion.source", "mongo"),
    ("ingestion.rows_per_part", -1),
    ("ingestion.rows_per_part", 0),
    ("ingestion.collection", ""),
    ("schema.columns.tenure_months.type", "int"),
    ("schema.columns.tenure_months.path", "account..tenure"),
    ("schema.columns.contract.values", []),
    ("validation.max_rejected", 1.01),
    ("validation.max_rejected", -0.01),
    ("validation.max_rejected", float("nan")),
    ("validation.min_rows", 0),
    ("transformation.test_size", 0),
    ("transformation.test_size", 1),
    ("transformation.test_size", 1.5),
    ("training.algorithm", "xgboost"),
    *[(f"training.search.{key}", value) for key, value in SEARCHES],
    ("training.random_state", -1),
    ("training.calibration", "platt"),
    *[
        ("evaluation.threshold", value)
        for value in (
            *(0, 1, True, "0.5", "F1", None, [0.5], {}, float("nan")),
            *({"recall_at": 0}, {"recall_at": 1.1}, {"recall_at": True}, {"recall": 0.8}),
            *({"cost": 5}, {"cost": {"false_negative": 5}}, {"recall_at": 0.8, "cost": {}}),
            *({"cost": {"false_negative": 0, "false_positive": 1}},),
            *({"cost": {"false_negative": 5, "false_positive": 1, "true_positive": 1}},),
            *({"cost": {"false_negative": float("inf"), "false_positive": 1}},),
        )
    ],
]
# The same, but the message names the parent key and the wrong word.
REFUSED_BELOW: list[tuple[str, Any, str, str]] = [
    ("training.random_forest.max_dept", 3, "training.random_forest", "max_dept"),
    ("training.random_forest.n_estimators", 0, "training.random_forest", "n_estimators"),
    ("training.hist_gradient_boosting.learning_rate", "fast", "hist_gradient_boosting", "learning_rate"),
    (
        "training.lightgbm.num_leaf",
        3,
        "training.lightgbm",
        "parameter num_leaf; there are boosting",
    ),
    ("training.lightgbm.num_leaves", 1, "training.lightgbm", "num_leaves"),
    ("training.lightgbm.learning_rate", "fast", "training.lightgbm", "learning_rate"),
    ("training.lightgbm.n_jobs", 2, "training.lightgbm", "n_jobs"),
    ("training.search.lightgbm.num_leaves", {"low": 1, "high": 9}, "training.search", "num_leaves"),
    ("training.logistic_regression.random_state", 1, "training.logistic_regression", "random_state"),
    ("training.search.boosting", {"x": {"choices": [1]}}, "training.search", "unknown algorithm boosting"),
    ("training.search.random_forest.max_dept", {"low": 1, "high": 2}, "training.search", "max_dept"),
    ("training.search.random_forest.max_depth", {"low": 0, "high": 2}, "training.search", "max_depth"),
    ("training.search.random_forest.max_depth", {"choices": [2, "deep"]}, "training.search", "Got 'deep'"),
    ("training.search.random_forest.n_jobs", {"low": 1, "high": 2}, "training.search", "n_jobs"),
    ("training.random_forest.n_jobs", 2, "training.random_forest", "n_jobs"),
    ("schema.columns.tenure_months.minimum", 200, "schema.columns.tenure_months", "above maximum"),
    ("schema.columns.contract.minimum", 2, "schema.columns.contract", "minimum"),
    ("schema.columns.tenure_months.values", ["a"], "schema.columns.tenure_months", "values"),
    ("schema.columns.tenure-months", COLUMN, "schema.columns", "'tenure-months'"),
    ("schema.columns.contract.values", ["a", "b", "a"], "schema.columns.contract", "values"),
    ("schema.columns.contract.values", "monthly", "schema.columns.contract.values", "should be a list"),
    ("training.derived_features", "none", "training.derived_features", "should be a mapping"),
    ("training.random_forest", 3, "training.random_forest", "should be a mapping"),
    *[(f"schema.columns.{name}", COLUMN, "schema.columns", f"'{name}' is reserved") for name in MEANINGFUL],
    *[
        (f"training.derived_features.{name}", "tenure_months", "training.derived_features", f"'{name}'")
        for name in MEANINGFUL
    ],
    ("training.derived_features.a b", "tenure_months", "training.derived_features", "'a b' cannot be a name"),
    (
        "schema.columns",
        {
            "churned": {"path": "c", "type": "boolean"},
            "opened": {"path": "o", "type": "datetime"},
            "opened_year": COLUMN,
        },
        "schema",
        "opened_year is the name of a feature",
    ),
    ("schema.columns._id", COLUMN, "schema.columns", "'_id'"),
    ("schema.id", "churned", "schema", "churned"),
    ("schema.columns.deep", COLUMN | {"path": "churned.at"}, "schema", "churned.at"),
    ("schema.id", "profile", "schema", "profile"),
    ("schema.target.column", "churn", "schema", "target.column churn"),
    ("schema.target.positive", "yes", "schema", "target.positive"),
    ("schema.target.positive", 1, "schema", "target.positive"),
    ("schema.target.column", "monthly_charges", "schema", "number"),
    ("schema.target.column", "total_charges", "schema", "total_charges"),
    ("schema.columns", {"churned": {"path": "c", "type": "boolean"}}, "schema.columns", "2 items"),
    (
        "schema.columns",
        {"churned": {"path": "c", "type": "boolean"}, "name": {"path": "n", "type": "string"}},
        "schema",
        "no feature",
    ),
]


@pytest.fixture
def change(tmp_path: Path) -> Callable[[str, Any], Path]:
    """A function that writes a params.yaml with one changed value, and returns its path."""

    def write(key: str, value: Any) -> Path:
        content = YAML(typ="safe").load(PARAMS)
        *parents, leaf = key.split(".")
        inner = content
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[leaf] = value
        YAML().dump(content, tmp_path / "params.yaml")
        return tmp_path / "params.yaml"

    return write


def refusal(path: Path, section: str) -> str:
    """Return the one-line error of a section."""
    return failure(lambda: load(section, MODELS[section], path) and None, ConfigurationError)


@pytest.mark.parametrize(("key", "value"), REFUSED)
def test_invalid_value_names_its_key(change: Callable[[str, Any], Path], key: str, value: Any) -> None:
    path = change(key, value)

    named = "evaluation.min_scores: roc" if key.startswith("evaluation.min_scores") else key
    assert named in refusal(path, key.split(".", 1)[0])


@pytest.mark.parametrize(("key", "value", "named", "word"), REFUSED_BELOW)
def test_invalid_value_names_the_key_above(
    change: Callable[[str, Any], Path], key: str, value: Any, named: str, word: str
) -> None:
    message = refusal(change(key, value), key.split(".", 1)[0])

    assert f"{named}: " in message
    assert word in message


def test_a_missing_required_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("training: {random_state: 0}")

    assert "training.algorithm: " in refusal(path, "training")


def test_many_errors_are_one_line(change: Callable[[str, Any], Path]) -> None:
    message = refusal(change("validation", {"a": 1, "b": 2, "c": 3, "d": 4}), "validation")

    assert (
        "validation.a: unknown key; validation.b: unknown key; validation.c: unknown key; and 1 more"
        in message
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("validation: {", "line 1"),
        ("validation:\n  min_rows: 5\n  min_rows: 6\n", 'duplicate key "min_rows"'),
        ("validation: {min_rows: 2026-13-45}", "not YAML"),
        ("validation: {}\n---\nvalidation: {}", "another document"),
        ("validation: !!python/object:os.system {}", "tag"),
        ("", "expected the sections"),
        ("[1]", "expected the sections"),
        ("validation: 3", "validation: "),
        ("validation:", "section validation is missing"),
        ("schema: {}", "section validation is missing"),
        ("validation: {}\nvalidations: {}", "unknown section validations"),
    ],
)
def test_unreadable_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)

    assert message in refusal(path, "validation")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "params.yaml is missing" in refusal(tmp_path / "params.yaml", "validation")


@given(st.text(alphabet="validation: {}[]#&*!|>'\"%@`-0123456789.\n\t\x00é,ymx"))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(f"validation:{text}")
    with suppress(ConfigurationError):
        load("validation", ValidationParameters, path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("validation.max_rejected", 0),
        ("validation.max_rejected", 1),
        ("evaluation.min_scores", {"roc_auc": 0}),
        ("schema.columns.monthly_charges.minimum", 0),
        ("schema.columns.tenure_months.maximum", 120.0),
        ("training.hist_gradient_boosting.learning_rate", 1),
        ("training.hist_gradient_boosting.l2_regularization", 0),
    ],
)
def test_an_integer_is_a_valid_float(change: Callable[[str, Any], Path], key: str, value: Any) -> None:
    section = key.split(".", 1)[0]

    load(section, MODELS[section], change(key, value))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("training.derived", "derived_features"),
        ("evaluation.minimum", "min_scores"),
        ("evaluation.slices", "slice_by"),
    ],
)
def test_an_old_key_is_refused_with_its_new_name(
    change: Callable[[str, Any], Path], old: str, new: str
) -> None:
    section = old.partition(".")[0]

    assert f"{old}: is called {section}.{new} now: rename it" in refusal(change(old, {}), section)


def test_missing_keys_have_defaults(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(
        "ingestion: {source: sample, database: crm, collection: customers}\n"
        "validation: {}\ntransformation: {}\nevaluation: {}\ntraining: {algorithm: random_forest}\n"
        "schema: {target: {column: y, positive: true}, columns: {y: {path: y, type: boolean},"
        " x: {path: x, type: number}}}\n"
    )

    found = {section: load(section, model, path).model_dump() for section, model in MODELS.items()}

    assert found["ingestion"] | {"filter": {}, "rows_per_part": 2_500} == found["ingestion"]
    assert found["schema"]["id"] == "_id"
    assert not found["schema"]["columns"]["x"]["nullable"]
    assert found["validation"] == {
        "max_rejected": 0.01,
        "min_rows": 1000,
        "on_change": "hold",
        "max_shrink": 0.1,
        "max_mean_shift": 0.25,
        "max_null_change": 0.05,
        "max_category_change": 0.1,
        "max_target_change": 0.25,
        "max_single_column_auc": 0.99,
        "drift": {"significance": 0.05, "warn": 0.02, "hold": None},
    }
    assert found["transformation"] == {"test_size": 0.2}
    assert found["training"]["random_state"] == 0
    assert found["evaluation"]["min_scores"] == {}


def test_yaml_words_stay_text(change: Callable[[str, Any], Path]) -> None:
    # YAML 1.1 would read no and on as booleans, and 1e-3 as a text.
    path = change("schema.columns.contract.values", ["a"])
    path.write_text(path.read_text().replace("- a\n", "- no\n      - on\n      - none\n"))
    path.write_text(path.read_text().replace("max_rejected: 0.01", "max_rejected: 1e-3"))

    assert load("schema", Contract, path).columns["contract"].values == ("no", "on", "none")
    assert load("validation", ValidationParameters, path).max_rejected == 0.001


def test_stage_prints_one_line_and_exits_with_2(project: Project) -> None:
    project.set(validation__max_rejected="0.1")

    done = project.stage("validation", check=False)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("validation: params.yaml: validation.max_rejected: ")
    assert done.stderr.count("\n") == 1
