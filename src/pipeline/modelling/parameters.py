"""The sections `training` and `evaluation` of params.yaml."""

from importlib.util import find_spec
from typing import Annotated, Any, Literal

from pipeline.config.contract import Contract, check_name
from pipeline.config.errors import ConfigurationError
from pipeline.config.parameters import Section
from pipeline.modelling.boosters import LIGHTGBM
from pipeline.modelling.models import ALGORITHMS, check_parameters
from pipeline.modelling.search import Values
from pipeline.modelling.thresholds import Criterion, check_criterion

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

BETTER_WHEN_HIGHER = ("roc_auc", "average_precision", "accuracy", "precision", "recall", "f1")


class TrainingParameters(Section):
    """The section `training` of params.yaml, with a block of parameters for each algorithm.

    `search` has the values that `pipeline tune` searches, by algorithm and parameter; training ignores it.
    """

    algorithm: str
    random_state: int = Field(default=0, ge=0, lt=2**32)
    calibration: Literal["none", "sigmoid", "isotonic"] = "none"
    derived_features: dict[str, str] = Field(default_factory=dict)
    hist_gradient_boosting: dict[str, Any] = Field(default_factory=dict)
    random_forest: dict[str, Any] = Field(default_factory=dict)
    logistic_regression: dict[str, Any] = Field(default_factory=dict)
    lightgbm: dict[str, Any] = Field(default_factory=dict)
    search: dict[str, dict[str, Values]] = Field(default_factory=dict)

    @field_validator("algorithm")
    @classmethod
    def _known(cls, algorithm: str) -> str:
        if algorithm not in ALGORITHMS:
            raise ValueError(f"unknown algorithm {algorithm}; there are {', '.join(ALGORITHMS)}")
        if algorithm == LIGHTGBM and find_spec(LIGHTGBM) is None:
            raise ValueError("lightgbm is not installed: run 'make setup EXTRAS=boosters'")
        return algorithm

    @field_validator("derived_features")
    @classmethod
    def _names(cls, derived: dict[str, str]) -> dict[str, str]:
        for name in derived:
            check_name(name)
        return derived

    @field_validator(*ALGORITHMS)
    @classmethod
    def _possible(cls, block: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        check_parameters(str(info.field_name), block)
        return block

    @field_validator("search")
    @classmethod
    def _searchable(cls, search: dict[str, dict[str, Values]]) -> dict[str, dict[str, Values]]:
        for algorithm, space in search.items():
            if algorithm not in ALGORITHMS:
                raise ValueError(f"unknown algorithm {algorithm}; there are {', '.join(ALGORITHMS)}")
            for name, values in space.items():
                for value in values.extremes():
                    try:
                        check_parameters(algorithm, {name: value})
                    except ValueError as error:
                        raise ValueError(f"{algorithm}.{name}: {error}") from None
        return search


class EvaluationParameters(Section):
    """The section `evaluation` of params.yaml."""

    min_scores: dict[str, float] = Field(default_factory=dict)
    slice_by: tuple[str, ...] = Field(default=(), strict=False)
    threshold: Annotated[Criterion, AfterValidator(check_criterion)] = 0.5

    @field_validator("min_scores")
    @classmethod
    def _known(cls, minimum: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(minimum) - set(BETTER_WHEN_HIGHER)):
            raise ValueError(
                f"{', '.join(unknown)} cannot have a minimum; {', '.join(BETTER_WHEN_HIGHER)} can"
            )
        return minimum


def check_slices(parameters: EvaluationParameters, contract: Contract) -> None:
    """Refuse a slice that is not a column."""
    if unknown := [name for name in parameters.slice_by if name not in contract.columns]:
        raise ConfigurationError(
            f"params.yaml: evaluation.slice_by: {', '.join(unknown)} is not a column of the schema"
        )
