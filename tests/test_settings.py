"""The files that a team edits (params.yaml, .dvc/config, dvc.yaml, dvc.lock) are valid."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from operations.versions.parameters import MLflowParameters
from pipeline.checks.parameters import ValidationParameters
from pipeline.config.contract import Contract
from pipeline.config.errors import PipelineError
from pipeline.config.parameters import Section, load
from pipeline.data.features import TransformationParameters
from pipeline.modelling.parameters import EvaluationParameters, TrainingParameters
from pipeline.source.parameters import IngestionParameters
from project import ROOT, STAGES, committed, copied

import pytest
from dvc.config import Config
from dvc.exceptions import DvcException
from dvc.repo import Repo
from ruamel.yaml import YAML

MODELS: dict[str, type[Section]] = {
    "ingestion": IngestionParameters,
    "schema": Contract,
    "validation": ValidationParameters,
    "transformation": TransformationParameters,
    "training": TrainingParameters,
    "evaluation": EvaluationParameters,
    "mlflow": MLflowParameters,
}


def valid(read: Callable[[], Any]) -> Any:
    """Read some settings; a failure shows only their error."""
    try:
        return read()
    except (PipelineError, DvcException) as error:
        pytest.fail(str(error), pytrace=False)


@pytest.mark.parametrize("section", MODELS)
def test_params_yaml_is_valid(section: str) -> None:
    valid(lambda: load(section, MODELS[section], ROOT / "params.yaml"))


def test_slices_are_columns() -> None:
    contract = valid(lambda: load("schema", Contract, ROOT / "params.yaml"))
    evaluation = valid(lambda: load("evaluation", EvaluationParameters, ROOT / "params.yaml"))

    unknown = set(evaluation.slice_by) - set(contract.columns)
    assert not unknown, (
        f"params.yaml: evaluation.slice_by: {', '.join(unknown)} is not a column of the schema"
    )


def test_the_default_remote_is_there() -> None:
    config = valid(lambda: Config(dvc_dir=str(ROOT / ".dvc")))
    name = config["core"].get("remote")

    assert name, ".dvc/config names no default remote: run 'dvc remote default NAME'"
    assert name in config["remote"], f".dvc/config has no remote {name!r}: run 'dvc remote add {name} URL'"


def test_dvc_reads_the_stages(tmp_path: Path) -> None:
    # In a copy, since DVC writes temporary files.
    copied(tmp_path)
    committed(tmp_path)
    stages = valid(lambda: {stage.addressing for stage in Repo().index.stages})

    missing = [name for name in STAGES if name not in stages]
    assert not missing, f"dvc.yaml: the stage {', '.join(missing)} is missing"


@pytest.mark.slow
def test_a_fresh_clone_reproduces_the_lock(tmp_path: Path) -> None:
    """The same lock gives the same bytes on this machine as on the one that wrote dvc.lock."""
    copied(tmp_path / "fresh")
    project = committed(tmp_path / "fresh")
    if load("ingestion", IngestionParameters, ROOT / "params.yaml").source != "sample":
        pytest.skip("params.yaml reads another collection than the sample")
    status = json.loads(project.dvc("status", "--json", *STAGES))
    if any(word in str(status) for word in ("'modified'", "'new'")):
        pytest.skip("dvc.lock is of other code or parameters than these: 'dvc repro' brings it up to date")
    before = (project.root / "dvc.lock").read_text()

    assert project.repro("evaluation") == list(STAGES)

    after = (project.root / "dvc.lock").read_text()
    if raw_data(after) != raw_data(before):
        pytest.skip("dvc.lock is of other data than data/: 'dvc repro --force ingestion' reads it again")
    assert after == before


def raw_data(lock: str) -> str:
    """Return the hash of the raw data in a lock."""
    stages = YAML(typ="safe").load(lock)["stages"]
    return str(next(out["md5"] for out in stages["ingestion"]["outs"] if out["path"] == "artifacts/raw"))
