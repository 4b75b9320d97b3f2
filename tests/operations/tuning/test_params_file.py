"""The winner replaces the old values in place; comments, order and spacing are kept."""

from operations.tuning.params_file import with_block

import pytest
from ruamel.yaml import YAML

TEXT = """\
# head
schema:
    columns:
      a:      {path: a,   type: number}   # spaced

training:   # the model
  algorithm: random_forest
  random_forest:
    # few
    n_estimators:   10     # trees
    max_features: 'sqrt'
    bootstrap: true
  hist_gradient_boosting: {max_iter: 10,  learning_rate: 0.1}  # flow
  search: {random_forest: {n_estimators: {low: 1, high: 9}}}
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_values_are_replaced_in_place(newline: str) -> None:
    text = TEXT.replace("\n", newline)

    block = {"n_estimators": 300, "max_features": None, "bootstrap": False}

    assert with_block(text, "random_forest", block) == (
        text.replace("  10     #", "  300     #").replace("'sqrt'", "null").replace("true", "false")
    )
    flow = with_block(text, "hist_gradient_boosting", {"max_iter": 20, "learning_rate": 0.00001})
    assert flow == text.replace("max_iter: 10,", "max_iter: 20,").replace("rate: 0.1}", "rate: 1e-05}")


@pytest.mark.parametrize(
    ("text", "algorithm", "block"),
    [
        pytest.param(TEXT, "random_forest", {"n_estimators": 3, "max_depth": 4}, id="a new parameter"),
        pytest.param(TEXT, "logistic_regression", {"C": 0.5}, id="a new block"),
        pytest.param(
            TEXT.replace("n_estimators:   10", "n_estimators: &many 10").replace(
                "max_iter: 10", "max_iter: *many"
            ),
            "random_forest",
            {"n_estimators": 3},
            id="an anchor",
        ),
        pytest.param(
            TEXT.replace(
                "  hist_gradient_boosting: {max_iter: 10,  learning_rate: 0.1}", "  hist_gradient_boosting:"
            ),
            "hist_gradient_boosting",
            {"max_iter": 3},
            id="an empty block",
        ),
    ],
)
def test_new_parameter_keeps_the_comments(text: str, algorithm: str, block: dict[str, int]) -> None:
    before = YAML(typ="safe", pure=True).load(text)

    changed = with_block(text, algorithm, block)

    after = YAML(typ="safe", pure=True).load(changed)
    assert after["training"][algorithm] == (before["training"].get(algorithm) or {}) | block
    others = {key: value for key, value in before["training"].items() if key != algorithm}
    assert {key: after["training"][key] for key in others} == others
    assert after["schema"] == before["schema"]
    for comment in ("# head", "# spaced", "# the model", "# few", "# trees", "# flow"):
        assert comment in changed
