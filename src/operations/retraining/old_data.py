"""Old data under today's recipe: the lock names an older version's data, the parameters change."""

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

# The stages whose outputs are data; today's code of the second and third runs anew where it changed.
DATA_STAGES = STAGES[:3]
# The sections of params.yaml that stay as they are.
FIXED = ("ingestion", "schema", "mlflow")


def override(overrides: Sequence[str]) -> None:
    """Change params.yaml, as `dvc exp run --set-param` does, and commit it: the run knows what made it.

    Raises:
        ConfigurationError: DVC cannot apply one, or there is no such parameter.
    """
    given = f"--set-param {' '.join(overrides)}"
    if any("${" in setting or setting.lstrip("+~").startswith(FIXED) for setting in overrides):
        # The first would write a variable of the environment into Git, the others made nothing here.
        raise ConfigurationError(
            f"{given}: no ${{...}}, and nothing of {', '.join(FIXED)}: the data is kept, and the model's name"
        )
    try:
        apply_overrides(PATH, list(overrides))
    except (DvcException, YAMLError, ValueError) as error:
        message, advice, _ = " ".join(str(error.__cause__ or error).split()).partition(" To append")
        hint = f" '+NAME=VALUE' adds a parameter that {PATH} does not name yet." if advice else ""
        raise ConfigurationError(f"{given}: {message}{hint}") from None
    if changed():
        git("commit", "--quiet", "--message", f"Set {', '.join(overrides)}", "--", str(PATH))


def lock_data_of(commit: str) -> tuple[str, ...]:
    """Let the lock here name the data of a commit in place of its own, and return the stages of the data.

    Raises:
        PipelineError: the commit's pipeline had other stages.
    """
    yaml = YAML(typ="safe", pure=True)
    there = yaml.load(git("show", f"{commit}:{LOCK}"))
    try:
        here: dict[str, Any] = yaml.load(LOCK)
    except YAMLError:
        here = {}
    if not isinstance(here, dict) or "stages" not in here:
        raise PipelineError(f"{LOCK}, as it is committed, is no lock: 'dvc repro', and commit what it writes")
    if missing := [stage for stage in DATA_STAGES if stage not in there["stages"]]:
        raise PipelineError(f"the lock of commit {commit[:10]} has no stage {', '.join(missing)}")
    here["stages"] |= {stage: there["stages"][stage] for stage in DATA_STAGES}
    with Path(LOCK).open("w", encoding="utf-8") as file:
        yaml.dump(here, file)
    return DATA_STAGES
