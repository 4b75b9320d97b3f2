"""Logs an evaluated model to MLflow: parameters, scores, lineage, report, and the model ready to serve."""

import logging
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.config.contract import Contract
from pipeline.config.packages import packages_of
from pipeline.config.parameters import PATH
from pipeline.tracking.lineage import lineage_tags
from pipeline.tracking.mlflow_store import find_experiment, plain_mlflow_errors, tracking_store
from pipeline.tracking.names import flat, mlflow_name
from pipeline.tracking.new_store import prepare_store

import pandas as pd
from ruamel.yaml import YAML
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

# These variables would log an evaluation to another run, or mix another run's data into it.
FOREIGN_RUN_VARIABLES = (
    "MLFLOW_RUN_ID",
    "MLFLOW_RUN_CONTEXT",
    "MLFLOW_ACTIVE_MODEL_ID",
    "_MLFLOW_ACTIVE_MODEL_ID",
    "SERVERLESS_GPU_COMPUTE_ASSOCIATED_JOB_RUN_ID",
)


def log_run(
    model: Pipeline,
    contract: Contract,
    example: pd.DataFrame,
    metrics: dict[str, Any],
    folder: Path,
    failed: bool,
) -> str:
    """Log one run and return its id; a `failed` run has the status FAILED.

    `example` has a few rows of the feature columns, `folder` is evaluation's: all its files
    are logged, among them the report and the points of the plots.

    Raises:
        PipelineError: MLflow cannot be reached or refuses.
    """
    uri, artifacts = tracking_store()
    with plain_mlflow_errors(uri, "the trained model is kept, and the next 'dvc repro' evaluates it"):
        if unused := [name for name in FOREIGN_RUN_VARIABLES if os.environ.pop(name, "")]:
            print(f"MLflow: {', '.join(unused)}: not used, since each evaluation is a run of its own")
        import mlflow
        import mlflow.sklearn

        logging.getLogger("alembic").setLevel(logging.ERROR)
        skip_package_scan()
        prepare_store(uri)
        mlflow.set_tracking_uri(uri)
        # `set_experiment` would export MLFLOW_EXPERIMENT_ID to the rest of this process.
        run = mlflow.start_run(experiment_id=_experiment(uri, artifacts), tags=lineage_tags())
        status = "FAILED"
        try:
            content = YAML(typ="safe", pure=True).load(PATH)
            arguments = serving(contract, example, content["training"]["algorithm"])
            # The model does not depend on what a later search may try.
            content["training"].pop("search", None)
            parameters = _named(flat(content))
            # Synchronous despite MLFLOW_ENABLE_ASYNC_LOGGING, so that a finished run is complete.
            mlflow.log_params(parameters, synchronous=True)
            mlflow.log_metrics(_named(_numbers(metrics)), synchronous=True)
            mlflow.log_artifacts(str(folder))
            # MLflow predicts the example, which more threads would slow down.
            with threadpool_limits(limits=1):
                metadata = {"threshold": metrics["threshold"]}
                mlflow.sklearn.log_model(model, name="model", metadata=metadata, **arguments)
            status = "FAILED" if failed else "FINISHED"
        finally:
            mlflow.end_run(status)
    return str(run.info.run_id)


def skip_package_scan() -> None:
    """Keep MLflow from reading the files of all installed packages, which takes longer than logging a model.

    MLflow maps modules to packages in this way, for packages whose modules have other names.
    """
    from mlflow.utils import requirements_utils

    requirements_utils._MODULES_TO_PACKAGES = {}


def _experiment(uri: str, artifacts: str | None) -> str:
    """Return the id of the experiment, and create it if it does not exist."""
    import mlflow

    client = mlflow.MlflowClient(uri)
    name, number = find_experiment(client)
    return number or str(client.create_experiment(name, artifact_location=artifacts))


def serving(contract: Contract, example: pd.DataFrame, algorithm: str) -> dict[str, Any]:
    """Return the arguments of `mlflow.sklearn.log_model`: how MLflow stores and serves a model."""
    return {
        # The same format as artifacts/model: skops does not support the types of gradient boosting.
        "serialization_format": "pickle",
        "signature": _signature(contract),
        "input_example": example,
        # MLflow would infer the same list by importing the model, which takes five seconds.
        "pip_requirements": [f"{name}=={version(name)}" for name in packages_of(algorithm)],
        "pyfunc_predict_fn": "predict_proba",
    }


def _signature(contract: Contract) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    # Names without types: MLflow would convert a null boolean to false and 2.7 to the integer 2, and refuse a
    # time zone. The model itself refuses wrong types. Nullable columns are required too: the model accepts a
    # null, but not a missing column.
    return ModelSignature(
        inputs=Schema([ColSpec(AnyType(), name) for name in contract.features]),
        outputs=Schema([ColSpec("double", "0"), ColSpec("double", "1")]),
    )


def _numbers(metrics: dict[str, Any]) -> dict[str, float]:
    """Return the metrics that are numbers: one may be None, and an interval has a low and a high end."""
    ends = {
        name: dict(zip(("low", "high"), value, strict=True)) if isinstance(value, list) else value
        for name, value in metrics.items()
    }
    return {name: value for name, value in flat(ends).items() if isinstance(value, int | float)}


def _named(values: dict[str, Any]) -> dict[str, Any]:
    return {mlflow_name(key): value for key, value in values.items()}
