"""Combines the data of an older version with today's code and changed parameters."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from operations.git_and_dvc.git import changed, git
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.config.parameters import PATH
from pipeline.config.stages import STAGES
from pipeline.tracking.lineage import LOCK

from dvc.exceptions import DvcException
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

# The stages whose outputs are data. The second and the third run again where their code changed.
DATA_STAGES = STAGES[:3]
# The sections of params.yaml that must not change.
FIXED = ("ingestion", "schema", "mlflow")


def override(overrides: Sequence[str]) -> None:
    """Change params.yaml as `dvc exp run --set-param` does, and commit it, so that the run's commit has it.

    Raises:
        ConfigurationError: DVC cannot apply a change, or there is no such parameter.
    """
    given = f"--set-param {' '.join(overrides)}"
    if any("${" in setting or setting.lstrip("+~").startswith(FIXED) for setting in overrides):
        # ${...} would write an environment variable into Git; the other sections must match the old data.
        raise ConfigurationError(
            f"{given}: no ${{...}}, and nothing of {', '.join(FIXED)}: the data is kept, and the model's name"
        )
    try:
        apply_overrides(PATH, list(overrides))
    except (DvcException, YAMLError, ValueError) as error:
        message, advice, _ = " ".join(str(error.__cause__ or error).split()).partition(" To append")
        hint = f" '+NAME=VALUE' adds a parameter that {PATH} does not name yet." if advice else ""
        if " See https:" in message:
            # The parser's message describes its grammar, not the parameter.
            message = "expected NAME=VALUE; put a value with special characters in quotes"
        raise ConfigurationError(f"{given}: {message}{hint}") from None
    if changed():
        git("commit", "--quiet", "--message", f"Set {', '.join(overrides)}", "--", str(PATH))


def lock_data_of(commit: str) -> tuple[str, ...]:
    """Replace the data in the lock here by the data of a commit, and return the stages of the data.

    Raises:
        PipelineError: the lock here is invalid, or the commit's pipeline has other stages.
    """
    yaml = YAML(typ="safe", pure=True)
    there = yaml.load(git("show", f"{commit}:{LOCK}"))
    try:
        here: dict[str, Any] = yaml.load(LOCK)
    except YAMLError:
        here = {}
    if not isinstance(here, dict) or "stages" not in here:
        raise PipelineError(
            f"{LOCK}, as committed, is not a valid lock: run 'dvc repro', and commit the result"
        )
    if missing := [stage for stage in DATA_STAGES if stage not in there["stages"]]:
        raise PipelineError(f"the lock of commit {commit[:10]} has no stage {', '.join(missing)}")
    here["stages"] |= {stage: there["stages"][stage] for stage in DATA_STAGES}
    with Path(LOCK).open("w", encoding="utf-8") as file:
        yaml.dump(here, file)
    return DATA_STAGES
