"""Writes values into params.yaml, and leaves comments, order and all other lines unchanged."""

import io
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pipeline.config.errors import ConfigurationError
from pipeline.config.parameters import PATH

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

WIDTH = 110
Values = Mapping[tuple[str, ...], Any]


def params_text() -> str:
    """Return the text of params.yaml, with its line ends."""
    return PATH.read_bytes().decode()


def with_values(text: str, values: Values) -> str:
    """Return the YAML text with these values at their keys.

    Comments inside a replaced mapping or list are lost. If an alias prevents the change of single lines, the
    whole text is written again, which keeps comments and order, but not spacing.

    Raises:
        ConfigurationError: the text cannot be changed so that only these values differ.
    """
    if "\r\n" in text:
        return with_values(text.replace("\r\n", "\n"), values).replace("\n", "\r\n")
    wanted = plain(text)
    for path, value in values.items():
        wanted = _changed(wanted, path, value)
    for write in (_edited, _written_again):
        with suppress(YAMLError):
            written = write(text, values)
            if plain(written) == wanted:
                return written
    raise ConfigurationError(f"{PATH} cannot be edited: set {', '.join(map('.'.join, values))} by hand")


def plain(text: str) -> Any:
    """Return the content of a YAML text."""
    return YAML(typ="safe", pure=True).load(text)


def _changed(content: Any, path: tuple[str, ...], value: Any) -> Any:
    """Return the mapping with a value at a path; any other value on the way becomes a mapping."""
    name, *rest = path
    content = dict(content) if isinstance(content, dict) else {}
    content[name] = _changed(content.get(name), tuple(rest), value) if rest else value
    return content


def _written_again(text: str, values: Values) -> str:
    yaml = YAML()
    yaml.preserve_quotes = True
    content = yaml.load(text)
    for (*above, key), value in values.items():
        parent = content
        for name in above:
            if not isinstance(parent.get(name), dict):
                parent[name] = {}
            parent = parent[name]
        parent[key] = value
    return _dumped(yaml, content)


def _dumped(yaml: YAML, content: Any) -> str:
    yaml.width = 2**20
    stream = io.StringIO()
    yaml.dump(content, stream)
    return stream.getvalue()


def _edited(text: str, values: Values) -> str:
    text = text if text.endswith("\n") else f"{text}\n"
    for path, value in values.items():
        text = _with_value(text, path, value)
    return text


def _with_value(text: str, path: tuple[str, ...], value: Any) -> str:
    above, key = path[:-1], path[-1]
    content, parent = plain(text), YAML(typ="safe", pure=True).compose(text)
    for name in above:
        content = content.get(name) if isinstance(content, dict) else None
        parent = (_child(parent, name) or (None, None))[1]
    found = _child(parent, key)
    if above and not found and (not isinstance(parent, MappingNode) or parent.flow_style):
        # A parent that is missing, empty or on one line is written as a whole.
        return _with_value(text, above, _changed(content, (key,), value))
    lines, comment = text.splitlines(keepends=True), None
    if found:
        key_node, node = found
        if content[key] == value:
            return text
        if (new := _inline(value, node, parent)) is not None:
            return text[: node.start_mark.index] + new + text[node.end_mark.index :]
        first, indent = key_node.start_mark.line, key_node.start_mark.column
        last = _end(lines, first, indent)
        comment = re.match(r"(\s*[\w.]+:[^#'\"]*)(?<=\s)(#.*)$", lines[first].rstrip())
    else:
        indent = parent.start_mark.column
        first = last = _end(lines, parent.value[-1][0].start_mark.line, indent)
    block = _block(key, value, indent)
    if comment:
        # The comment keeps its column if there is room.
        block[0] = f"{block[0]:{len(comment[1]) - 2}}  {comment[2]}"
    return "".join([*lines[:first], *(f"{line}\n" for line in block), *lines[last:]])


def _child(parent: Node | None, key: str) -> tuple[Node, Any] | None:
    """Return the nodes of a key and its value."""
    pairs = parent.value if isinstance(parent, MappingNode) else []
    return next((pair for pair in pairs if pair[0].value == key), None)


def _inline(value: Any, before: ScalarNode | CollectionNode, parent: MappingNode) -> str | None:
    """Return a value on one line, to replace `before`; None if the lines of `before` must be replaced."""
    if isinstance(before, ScalarNode):
        in_place = before.style not in ("|", ">") and before.end_mark.index > before.start_mark.index
    else:
        in_place = before.flow_style
    text = _one_line(value)
    long = isinstance(value, dict | list) and before.start_mark.column + len(text) > WIDTH
    return text if in_place and (parent.flow_style or not long) else None


def _one_line(value: Any) -> str:
    mapping = CommentedMap({"k": value})
    mapping.fa.set_flow_style()
    return _dumped(YAML(), mapping).strip().removeprefix("{k: ").removesuffix("}")


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


def _block(key: str, value: Any, indent: int) -> list[str]:
    """Return the lines of a key and its value: one line if it fits and nests no mapping, else a block."""
    head, inner = f"{' ' * indent}{_one_line(key)}:", indent + 2
    line = f"{head} {_one_line(value)}"
    nests = isinstance(value, dict) and any(isinstance(one, dict) for one in value.values())
    if not isinstance(value, dict | list | tuple) or not (nests or len(line) >= WIDTH):
        return [line]
    if isinstance(value, dict):
        return [head, *(line for name, one in value.items() for line in _block(name, one, inner))]
    return [head, *(f"{' ' * inner}- {_one_line(one)}" for one in value)]
