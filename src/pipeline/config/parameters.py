"""Reads a section of params.yaml into a strict model, which refuses an unknown key by its name."""

from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pipeline.config.errors import ConfigurationError

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

PATH = Path("params.yaml")
# The last section belongs to no stage, and may be missing: all its keys have defaults.
SECTIONS = ("ingestion", "schema", "validation", "transformation", "training", "evaluation", "mlflow")

# Messages for types of pydantic errors, whose own messages use terms of Python.
YAML_MESSAGES = {
    "extra_forbidden": "unknown key",
    "tuple_type": "should be a list",
    "dict_type": "should be a mapping",
    "model_type": "should be a mapping",
}

# Keys of earlier versions, and their names now.
RENAMED = {
    "training.derived": "training.derived_features",
    "evaluation.minimum": "evaluation.min_scores",
    "evaluation.slices": "evaluation.slice_by",
}


class Section(BaseModel):
    """A section of params.yaml: frozen, without type coercion, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


S = TypeVar("S", bound=Section)


def _document(path: Path) -> dict[str, Any]:
    # YAML 1.2, as in DVC: in YAML 1.1, the word `no` is a boolean.
    try:
        document = _parsed(path.read_bytes())
    except FileNotFoundError:
        raise ConfigurationError(f"{path} is missing: run in the root of the repository") from None
    except (YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        message = getattr(error, "problem", None) or str(error)
        raise ConfigurationError(f"{path}{where}: not YAML: {_one_line(message)}") from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: expected the sections {', '.join(SECTIONS)}")
    if unknown := [str(key) for key in document if key not in SECTIONS]:
        raise ConfigurationError(
            f"{path}: unknown section {', '.join(unknown)}; the sections are {', '.join(SECTIONS)}"
        )
    return document


@lru_cache(maxsize=1)
def _parsed(content: bytes) -> Any:
    """Return the YAML document, which must not be changed: each section of the file is read separately."""
    return YAML(typ="safe", pure=True).load(content)


def load(section: str, model: type[S], path: Path = PATH) -> S:
    """Return `section` of the parameters file as `model`.

    Raises:
        ConfigurationError: the file or the section is missing, or a key is unknown, of the wrong type
            or impossible; the message names the key, or the first three.
    """
    content = _document(path).get(section)
    if content is None and section == SECTIONS[-1]:
        content = {}
    if content is None:
        raise ConfigurationError(f"{path}: the section {section} is missing or empty")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {explain(section, error)}") from None


def explain(section: str, error: ValidationError) -> str:
    """Return in one line which keys of `section` are wrong, and why (at most three of them)."""
    problems = error.errors(include_url=False, include_context=False)
    lines = []
    for problem in problems[:3]:
        key = ".".join([section, *(str(part) for part in problem["loc"])])
        message = YAML_MESSAGES.get(problem["type"], problem["msg"])
        if key in RENAMED:
            message = f"is called {RENAMED[key]} now: rename it"
        lines.append(_one_line(f"{key}: {message.removeprefix('Value error, ')}"))
    if len(problems) > 3:
        lines.append(f"and {len(problems) - 3} more")
    return "; ".join(lines)


def value_name(value: object) -> str:
    """Return a value of a column as text, as in params.yaml."""
    # A boolean of Python or NumPy.
    return str(value).lower() if type(value).__name__ in ("bool", "bool_") else str(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())
