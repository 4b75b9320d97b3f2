"""Values written into params.yaml: comments, order and all other lines are kept."""

from typing import Any

from operations.schema.write import with_values

import pytest

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

  depth: 3            # of a tree
evaluation: {slice_by: [a], threshold: 0.5}
empty:
"""


@pytest.mark.parametrize(
    ("values", "before", "after"),
    [
        ({("ingestion", "source"): "mongodb"}, "source: sample      #", "source: mongodb     #"),
        ({("ingestion", "filter"): {}}, "", ""),
        ({("ingestion", "database"): "shop"}, "# a query\n", "# a query\n  database: shop\n"),
        (
            {("training", "derived"): {}},
            "  derived: # computed\n    ratio: >-\n      a /\n      b\n",
            "  derived: {}  # computed\n",
        ),
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
def test_only_the_value_changes(values: dict[tuple[str, ...], Any], before: str, after: str) -> None:
    assert with_values(TEXT, values) == TEXT.replace(before, after, 1)


def test_unusual_layouts_of_the_file() -> None:
    assert with_values("a: 1", {("b",): [1]}) == "a: 1\nb: [1]\n"
    assert with_values("s: {a: 1, b: {c: 2}}", {("s", "b", "c"): 3}) == "s:\n  a: 1\n  b: {c: 3}\n"
