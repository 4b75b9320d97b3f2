"""Changes the parameters of an algorithm in params.yaml, and nothing else in the file."""

import io
import json
from contextlib import suppress

from operations.tuning.folds import Block

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


def with_block(text: str, algorithm: str, block: Block) -> str:
    """Return the text of params.yaml with `block` as the parameters of an algorithm.

    Each value is replaced in place, which keeps comments, order and spacing. A new parameter or a YAML alias
    has no such place: then the file is written again, which keeps comments and order, but not spacing.
    """
    plain = YAML(typ="safe", pure=True)
    wanted = plain.load(text)
    before = wanted["training"].get(algorithm) or {}
    wanted["training"][algorithm] = block
    edited = _replaced(
        text, algorithm, {name: block[name] for name in block if block[name] != before.get(name)}
    )
    with suppress(YAMLError):
        if plain.load(edited) == wanted:
            return edited
    return _written_again(text, algorithm, block)


def _replaced(text: str, algorithm: str, changes: Block) -> str:
    places = []
    for name, value in changes.items():
        node = YAML(pure=True).compose(io.StringIO(text, newline=""))
        for key in ("training", algorithm, name):
            children = node.value if node is not None and isinstance(node.value, list) else []
            node = next((child for own, child in children if own.value == key), None)
        if node is not None:
            places.append((node.start_mark.index, node.end_mark.index, json.dumps(value)))
    for start, end, value in sorted(places, reverse=True):
        text = text[:start] + value + text[end:]
    return text


def _written_again(text: str, algorithm: str, block: Block) -> str:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 110
    content = yaml.load(text)
    training = content["training"]
    if training.get(algorithm) is None:
        training[algorithm] = {}
    training[algorithm].update(block)
    with io.StringIO() as file:
        yaml.dump(content, file)
        return file.getvalue()
