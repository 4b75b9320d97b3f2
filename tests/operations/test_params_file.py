"""Values written into params.yaml: comments, order and all other lines are kept."""

from typing import Any

from operations.params_file import with_values
from pipeline.config.errors import ConfigurationError

import pytest
from ruamel.yaml import YAML

TEXT = """\
# Settings.
ingestion:
  source: sample      # where from
  filter: {}          # a query

schema:               # the contract
  columns:
    a: {path: a}      # goes with the value

# And this.
    b:
      values:
      - one
# What follows.
training:
  derived: # computed
    ratio: >-
      a /
      b

  depth:   3          # of a tree
  forest: {trees: 10,  rate: 'auto'}  # flow
evaluation: {slice_by: [a], threshold: 0.5}
empty:
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("values", "before", "after"),
    [
        ({("ingestion", "source"): "mongodb"}, "source: sample      #", "source: mongodb      #"),
        ({("ingestion", "filter"): {}}, "", ""),
        ({("ingestion", "database"): "shop"}, "# a query\n", "# a query\n  database: shop\n"),
        (
            {("training", "derived"): {}},
            "  derived: # computed\n    ratio: >-\n      a /\n      b\n",
            "  derived: {}  # computed\n",
        ),
        ({("training", "depth"): None}, "depth:   3 ", "depth:   null "),
        (
            {("training", "depth"): ["x" * 99]},
            "3          # of a tree",
            f"           # of a tree\n    - {'x' * 99}",
        ),
        (
            {("training", "forest", "trees"): 20, ("training", "forest", "rate"): 1e-05},
            "{trees: 10,  rate: 'auto'}",
            "{trees: 20,  rate: 1e-05}",
        ),
        ({("training", "forest", "rate"): "a, b: #"}, "'auto'", "'a, b: #'"),
        ({("training", "forest", "deep"): True}, ",  rate: 'auto'}", ", rate: auto, deep: true}"),
        ({("training", "boosting", "rate"): 2}, "# flow\n", "# flow\n  boosting: {rate: 2}\n"),
        ({("evaluation", "slice_by"): []}, "slice_by: [a]", "slice_by: []"),
        ({("empty", "key"): "no"}, "empty:\n", "empty: {key: no}\n"),
        (
            {("schema",): {"columns": {"c": {"path": "c", "values": ["yes", "1", ""]}}}},
            "    a: {path: a}      # goes with the value\n"
            "\n# And this.\n    b:\n      values:\n      - one\n",
            "    c: {path: c, values: [yes, '1', '']}\n",
        ),
    ],
)
def test_only_the_value_changes(
    values: dict[tuple[str, ...], Any], before: str, after: str, newline: str
) -> None:
    changed = with_values(TEXT.replace("\n", newline), values)

    assert changed == TEXT.replace(before, after, 1).replace("\n", newline)


def test_a_file_on_one_line_is_edited() -> None:
    assert with_values("a: 1", {("b",): [1]}) == "a: 1\nb: [1]\n"
    assert with_values("s: {a: 1, b: {c: 2}}", {("s", "b", "c"): 3}) == "s: {a: 1, b: {c: 3}}\n"
    assert with_values("{a: 1}", {("b", "c"): 2}) == "{a: 1, b: {c: 2}}\n"


@pytest.mark.parametrize("path", [("forest", "trees"), ("boosting", "trees")])
def test_an_alias_keeps_its_value(path: tuple[str, ...]) -> None:
    text = "forest: # few\n  trees: &many 10\nboosting:\n  trees: *many   # as many\n"

    changed = with_values(text, {path: 3})

    plain = YAML(typ="safe", pure=True).load(changed)
    assert plain == {"forest": {"trees": 10}, "boosting": {"trees": 10}, path[0]: {"trees": 3}}
    assert "# few" in changed


def test_a_shared_mapping_is_refused() -> None:
    text = "forest: &all\n  trees: 10\nboosting: *all\n"

    with pytest.raises(ConfigurationError, match=r"set boosting\.trees by hand"):
        with_values(text, {("boosting", "trees"): 3})
