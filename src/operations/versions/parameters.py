"""The section `mlflow` of params.yaml."""

from pipeline.config.parameters import PATH, Section, load
from pipeline.tracking.mlflow_store import PROJECT

from pydantic import Field


class CardParameters(Section):
    """What people state in a model card; Markdown is shown as it is."""

    intended_use: str | None = None
    owner: str | None = None
    limits: str | None = None


class MLflowParameters(Section):
    """The section `mlflow` of params.yaml."""

    # MLflow refuses some other characters, and cannot find names with some others again.
    registered_model: str = Field(default=PROJECT, pattern=r"^\w[\w. -]*$")
    card: CardParameters = CardParameters()


def model_name() -> str:
    """Return the name of the registered model that params.yaml names."""
    return load("mlflow", MLflowParameters).registered_model if PATH.exists() else PROJECT
