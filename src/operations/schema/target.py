"""The target: the option `--target path=value`, and the candidates."""

import re
from typing import Any

from operations.schema.decide import Decision, main_family
from operations.schema.names import snake
from operations.schema.profile import Profile, short
from pipeline.config.errors import ConfigurationError


def parsed(target: str) -> tuple[str, str]:
    """Return the path and the value of `path=value`.

    Raises:
        ConfigurationError: the text has another form.
    """
    path, equals, text = target.partition("=")
    if not path or not equals or not text.strip():
        raise ConfigurationError(
            f"--target {target}: name a field and the value that the model predicts, as in churned=true"
        )
    return path.strip(), text.strip()


def with_target(
    found: list[Decision], profile: Profile, path: str, text: str
) -> tuple[list[Decision], bool | int | str]:
    """Return the decisions with a column for the target, and its positive value.

    Raises:
        ConfigurationError: no document has this value, or all have it.
    """
    key = tuple(path.split("."))
    of_target = profile.fields.get(key)
    if of_target is None or not of_target.present:
        near = ", ".join(candidates(found)[:3])
        raise ConfigurationError(
            f"--target {path}: no document that was read has this field{near and f'; candidates are {near}'}"
        )
    family = main_family(of_target)
    kind = {"boolean": "boolean", "number": "integer", "text": "category"}.get(family)
    values = {as_text(value): value for its, value in of_target.values if its == family}
    value = text.lower() if family == "boolean" else text
    if kind is None or value not in values:
        seen = ", ".join([short(one) for one in values][:5]) or main_family(of_target)
        raise ConfigurationError(
            f"--target {path}={text}: no document that was read has this value; {path} has {seen}"
        )
    positive = values[value]
    if len(values) < 2:
        raise ConfigurationError(f"--target {path}={text}: every document that was read has this value")
    if kind == "integer" and not float(positive).is_integer():
        raise ConfigurationError(
            f"--target {path}={text}: a target is a boolean, a text or an integer, not a fraction"
        )
    more = f": {text} against {len(values) - 1} other values" if len(values) > 2 else ""
    listed = {"values": sorted(values)} if kind == "category" and len(values) == 2 else {}
    decision = Decision(of_target, {"type": kind} | listed, f"the target{more}")
    others = [one for one in found if one.field.path != key]
    return [*others, decision], int(positive) if kind == "integer" else positive


def as_text(value: Any) -> str:
    """Return a value as the text of `--target`."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


# Common names of a target.
_TARGET = re.compile(r"churn|target|label|outcome|default|fraud|cancel|class|diagnos|result|convert|surviv")


def candidates(found: list[Decision]) -> list[str]:
    """Return `path=value` for the fields with two values; the rarer value is the positive one."""
    targets = []
    for decision in found:
        field, column = decision.field, decision.column
        if column and not column.get("nullable") and field.distinct == 2 and len(field.families) == 1:
            (_, value), _ = min(field.values.items(), key=lambda pair: pair[1])
            text = short(as_text(value))
            likely = (not _TARGET.search(snake(field.path[-1])), column["type"] != "boolean")
            targets.append((likely, f"{decision.path}={text}"))
    return [text for _, text in sorted(targets, key=lambda pair: pair[0])]
