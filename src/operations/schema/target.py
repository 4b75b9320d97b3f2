"""The target: the option `--target path=value`, and the candidates."""

import re
import shlex
from dataclasses import dataclass
from typing import Any

from operations.schema.decide import TOLERATED, Decision, counts_text, main_family, unusable
from operations.schema.names import is_addressable, snake
from operations.schema.profile import MOST_FIELDS, MOST_VALUES, Field, Profile, short
from pipeline.config.errors import ConfigurationError

# The type of a target, by the family of its values.
KINDS = {"boolean": "boolean", "number": "integer", "text": "category"}
# With fewer documents of a class, the holdout may have none.
FEW = 30


@dataclass(frozen=True)
class Target:
    """The target: its column, the positive value, and a warning if one class has few documents."""

    decision: Decision
    positive: bool | int | str
    warning: str | None


def target_of(option: str, found: list[Decision], profile: Profile) -> Target:
    """Return the target that `path=value` names.

    Raises:
        ConfigurationError: the field cannot be a target, or its values in the documents are not two classes.
    """
    field, text = _split(option, found, profile)
    path, family = ".".join(field.path), main_family(field)
    if reason := _no_target(field, found, profile):
        raise ConfigurationError(f"--target {path}: {reason}")
    values = {as_text(value): value for its, value in field.values if its == family and _fits(family, value)}
    text = text if text in values else text.strip()
    text = text.lower() if family == "boolean" else text
    if text not in values:
        raise ConfigurationError(f"--target {path}={text}: {_absent(field, text, list(values))}")
    count = field.values[family, values[text]]
    others = field.families[family] - count
    if reason := _one_class(count, others, profile.documents - field.present):
        raise ConfigurationError(f"--target {path}={text}: {reason}")
    warning = None
    if (fewer := min(count, others)) < FEW:
        which = "this value" if fewer == count else "another value"
        warning = (
            f"warning: --target {path}={text}: only {fewer} of {profile.documents:,} documents have {which}: "
            "the holdout may have none of them"
        )
    at_least = " or more" if field.distinct >= MOST_VALUES else ""
    more = f", against {len(values) - 1}{at_least} other values" if len(values) > 2 else ""
    why = f"the target: {short(text)} in {count:,} of {profile.documents:,} documents{more}"
    listed = {"values": sorted(values)} if family == "text" and len(values) == 2 else {}
    positive = int(values[text]) if family == "number" else values[text]
    return Target(Decision(field, {"type": KINDS[family]} | listed, why), positive, warning)


def _split(option: str, found: list[Decision], profile: Profile) -> tuple[Field, str]:
    """Return the field and the value; the name and the value may contain `=`."""
    parts = [(option[: match.start()].strip(), option[match.end() :]) for match in re.finditer("=", option)]
    parts = [(path, text) for path, text in parts if path and text.strip()]
    if not parts:
        raise ConfigurationError(
            f"--target {option}: name a field and the value that the model predicts, as in churned=true"
        )
    # If two fields have the same dotted path, the one that it can name is the last.
    paths = sorted(profile.fields, key=is_addressable)
    fields = {".".join(path): profile.fields[path] for path in paths}
    for path, text in parts:
        if path in fields:
            return fields[path], text
    near = ", ".join(candidates(found)[:3])
    missing = "no document that was read has this field"
    if profile.not_kept:
        missing = f"the first {MOST_FIELDS:,} fields do not include it"
    raise ConfigurationError(f"--target {parts[0][0]}: {missing}{near and f'; candidates are {near}'}")


def _no_target(field: Field, found: list[Decision], profile: Profile) -> str | None:
    """Return why the field cannot be a target, whatever the value, or None."""
    if field.path[0] == "_id":
        return "the id of a document cannot be the target: name another field"
    if personal := next((one.why for one in found if one.field is field and one.personal), None):
        return f"{personal}: name another field, or write the schema by hand"
    if set(field.families) == {"document"}:
        depth = len(field.path)
        inner = [".".join(one.path) for one in profile.leaves if one.path[:depth] == field.path]
        return f"a document: name a field inside it{', such as ' if inner else ''}{''.join(inner[:1])}"
    return unusable(field, profile) or _no_type(field)


def _no_type(field: Field) -> str | None:
    family, bad = main_family(field), field.not_integer.total()
    if family not in KINDS:
        return f"a {family} cannot be the target: a target is a boolean, a text or an integer"
    if family == "number" and bad > TOLERATED * field.present:
        problem = next(iter(field.not_integer))
        return (
            f"a target is a boolean, a text or an integer, but {bad:,} of {field.present:,} values are not "
            f"integers: one {problem}"
        )
    return None


def _fits(family: str, value: Any) -> bool:
    # The key of a decimal or NaN is a text.
    return family != "number" or (not isinstance(value, str) and float(value).is_integer())


def _absent(field: Field, text: str, values: list[str]) -> str:
    """Return why the text is not a value of the field, with the values that it has."""
    if text.lower() in {
        as_text(value).lower() for family, value in field.values if family != main_family(field)
    }:
        return f"this value has another type than most values: {counts_text(field)}"
    absent = "no document that was read has this value"
    if field.distinct >= MOST_VALUES:
        absent = f"the first {MOST_VALUES} different values do not include it"
    pairs = ({"1", "true"}, {"0", "false"})
    alike = [one for one in values if one.lower() == text.lower() or {one, text.lower()} in pairs]
    path = ".".join(field.path)
    hint = f": try --target {shlex.quote(f'{path}={alike[0]}')}" if alike else ""
    return f"{absent}; {path} has {', '.join(map(short, values[:5]))}{hint}"


def _one_class(count: int, others: int, missing: int) -> str | None:
    """Return why the documents are of one class, or all but one, or None."""
    if not others and missing:
        return (
            f"all {count:,} documents with a value have this one, and {missing:,} have none: null is not a "
            "class, so store a value in these documents"
        )
    if not others:
        return "every document that was read has this value"
    if 1 in (count, others):
        which = "this" if count == 1 else "another"
        return f"only one document that was read has {which} value: a class needs many"
    return None


def as_text(value: Any) -> str:
    """Return a value as the text of `--target`."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


# Common names of a target.
_TARGET = re.compile(r"churn|target|label|outcome|default|fraud|cancel|class|diagnos|result|convert|surviv")


def candidates(found: list[Decision]) -> list[str]:
    """Return `path=value`, quoted for a shell, for the fields with two values; the rarer one is positive."""
    targets = []
    for decision in found:
        field, column = decision.field, decision.column
        if decision.personal or not column or column.get("nullable") or column["type"] not in KINDS.values():
            continue
        if field.distinct == 2 and len(field.families) == 1:
            (_, value), count = min(field.values.items(), key=lambda pair: pair[1])
            text = as_text(value)
            if count > 1 and text.strip() and text.isprintable():
                likely = (not _TARGET.search(snake(field.path[-1])), column["type"] != "boolean")
                targets.append((likely, shlex.quote(f"{decision.path}={text}")))
    return [text for _, text in sorted(targets, key=lambda pair: pair[0])]
