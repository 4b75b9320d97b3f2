"""Writes values into params.yaml, and leaves all other lines unchanged."""

import io
import re
from collections.abc import Mapping
from typing import Any

from pipeline.config.errors import ConfigurationError

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

WIDTH = 110


def with_values(text: str, values: Mapping[tuple[str, ...], Any]) -> str:
    """Return the YAML text with these values at their keys; comments and all other lines are kept.

    Comments inside a replaced value are lost.
    """
    wanted = YAML(typ="safe", pure=True).load(text)
    text = text if text.endswith("\n") else f"{text}\n"
    for path, value in values.items():
        text = _with_value(text, path, value)
        wanted = _changed(wanted, path, value)
    if YAML(typ="safe", pure=True).load(text) != wanted:
        raise ConfigurationError(
            f"params.yaml cannot be edited safely: set {', '.join(map('.'.join, values))} by hand"
        )
    return text


def _changed(content: dict[str, Any] | None, path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return the content with a value at a path."""
    name, *rest = path
    content = dict(content or {})
    content[name] = _changed(content.get(name), tuple(rest), value) if rest else value
    return content


def _with_value(text: str, path: tuple[str, ...], value: Any) -> str:
    parent = YAML().load(text)
    for depth, name in enumerate(path[:-1], 1):
        inner = parent.get(name)
        if not isinstance(inner, CommentedMap) or not inner or inner.fa.flow_style():
            # A parent that is missing, empty or on one line is written as a whole.
            plain = YAML(typ="safe", pure=True).load(text)
            for above in path[:depth]:
                plain = plain.get(above)
            return _with_value(text, path[:depth], _changed(plain, path[depth:], value))
        parent = inner
    key, lines = path[-1], text.splitlines(keepends=True)
    if key in parent and parent[key] == value:
        return text
    comment = None
    if key in parent:
        first, indent = parent.lc.key(key)
        last = _end(lines, first, indent)
        comment = re.match(r"(\s*[\w.]+:[^#'\"]*)(?<=\s)(#.*)$", lines[first].rstrip())
    else:
        first = last = _end_of_block(lines, parent)
        indent = parent.lc.col
    new = _block(key, value, indent)
    if comment:
        # The comment keeps its column if there is room.
        new[0] = f"{new[0]:{len(comment[1]) - 2}}  {comment[2]}"
    return "".join([*lines[:first], *(f"{line}\n" for line in new), *lines[last:]])


def _end(lines: list[str], first: int, indent: int) -> int:
    """Return the line after the value whose key is in line `first`, before later comments and blank lines."""
    end = first + 1
    for number in range(first + 1, len(lines)):
        line = lines[number]
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        column = len(line) - len(line.lstrip())
        if column < indent or (column == indent and not bare.startswith("- ")):
            break
        end = number + 1
    return end


def _end_of_block(lines: list[str], parent: CommentedMap) -> int:
    last_key = list(parent)[-1]
    return _end(lines, *parent.lc.key(last_key))


def _block(key: str, value: Any, indent: int) -> list[str]:
    """Return the lines of a key and its value: one line if it fits, else a block."""
    yaml = YAML()
    yaml.width = 2**20
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump({key: _styled(value, WIDTH - indent - len(key))}, stream)
    return [f"{' ' * indent}{line}" for line in stream.getvalue().splitlines()]


def _styled(value: Any, room: int) -> Any:
    """Return a value for ruamel.yaml, on one line if it fits into `room` characters."""
    if isinstance(value, list | tuple):
        sequence = CommentedSeq(value)
        if not value or sum(len(str(one)) + 2 for one in value) + 4 < room:
            sequence.fa.set_flow_style()
        return sequence
    if not isinstance(value, dict):
        return value
    mapping = CommentedMap({name: _styled(inner, room - 2 - len(name)) for name, inner in value.items()})
    nested = any(isinstance(inner, dict) for inner in value.values())
    length = sum(len(f"{name}: {inner}, ") for name, inner in value.items())
    if not value or (not nested and length + 4 < room):
        mapping.fa.set_flow_style()
    return mapping
