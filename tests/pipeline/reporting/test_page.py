"""The page: verdict, order, deterministic bytes, bounded size, escapes, and any collection."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

from browser import needs_chromium, running_browser
from pipeline.config.contract import Contract
from pipeline.modelling.models import build
from pipeline.modelling.parameters import EvaluationParameters, TrainingParameters
from pipeline.modelling.scores import calibration_error, curves, scores, slice_scores
from pipeline.reporting import page
from pipeline.reporting.page import Evaluated, costs_of, render
from pipeline.reporting.texts import of, verdict

import numpy as np
import pandas as pd
import pytest

NASTY = "</style><script>document.title='x'</script>"
CONTRACT = Contract.model_validate(
    {
        "target": {"column": "outcome", "positive": NASTY},
        "columns": {
            "outcome": {"path": "outcome", "type": "category"},
            "amount": {"path": "amount", "type": "number", "nullable": True},
            "plan": {"path": "plan", "type": "category"},
            "since": {"path": "since", "type": "datetime", "nullable": True},
        },
    }
)


def rows(seed: int, count: int, share: float) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    amount = np.round(random.normal(size=count), 3)
    score = amount + random.logistic(size=count)
    since = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, count), "D"))
    return pd.DataFrame(
        {
            "outcome": (score > np.quantile(score, 1 - share)).astype("int8"),
            "amount": np.where(random.random(count) < 0.1, np.nan, amount),
            "plan": random.choice([NASTY, "b & c", "d" * 200], count),
            "since": since.astype("datetime64[ms]").where(random.random(count) < 0.9),
        }
    )


@cache
def evaluated(share: float = 0.3, threshold: float = 0.4, algorithm: str = "random_forest") -> Evaluated:
    """Return the evaluation of a small model whose values, target and slices contain markup."""
    train, test = rows(1, 600, share), rows(2, 300, share)
    training = TrainingParameters(algorithm=algorithm, random_forest={"n_estimators": 5, "max_depth": 4})
    features = [*CONTRACT.features]
    model = build(CONTRACT, algorithm, getattr(training, algorithm), {}, 0)
    probability = model.fit(train[features], train["outcome"]).predict_proba(test[features])[:, 1]
    target = test["outcome"].to_numpy()
    lost = [("amount", 0.2), ("plan", 0.1), ("since", 0.0)]
    return Evaluated(
        model=model,
        test=test,
        train=train,
        train_rows=600,
        probability=probability,
        metrics={"rows": 300, "threshold": threshold}
        | scores(target, probability, threshold)
        | calibration_error(target, probability),
        slices={"plan": slice_scores(test["plan"], target, probability, threshold)},
        plots=curves(target, probability, threshold)
        | {"importance": [{"column": n, "roc_auc_lost": v, "spread": 0.01} for n, v in lost]},
        validation={
            "read": 905,
            "accepted": 900,
            "rejected": {"ingestion": 3, "validation": 2},
            "reasons": [["amount", 5, f"{NASTY} is not a number"]],
        },
        lineage={"artifacts/model": "0123456789abcdef"},
        contract=CONTRACT,
        evaluation=EvaluationParameters(slice_by=("plan",), threshold=threshold),
        training=training,
    )


class Outline(HTMLParser):
    """Collects the URLs that a page loads, its tags, and the labels of its pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.labels: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a tag."""
        given = dict(attrs)
        self.tags.append(tag)
        self.loads += [given[name] or "" for name in ("src", "href") if name in given]
        if tag == "svg":
            assert given["role"] == "img"
            self.labels.append(given["aria-label"])


def test_page_is_complete_safe_and_self_contained() -> None:
    text = render(evaluated())
    outline = Outline(text)

    assert [link for link in outline.loads if not link.startswith("#")] == ["data:,"]
    assert not {"script", "link", "img", "iframe"} & {*outline.tags} - {"link"}
    assert outline.tags.count("style") == 1
    # Each picture has an alt text, and its numbers in a table.
    assert all(outline.labels)
    assert outline.tags.count("svg") == text.count("<summary>Numbers</summary>") > 10
    titles = re.findall(r"<h2[^>]*>(.*?)</h2>", text)
    order = [
        "Scores",
        "Curves",
        "What drives it",
        "Slices, the worst first",
        "Data",
        "Drift: test against train",
        "Lineage",
    ]
    assert titles == order
    assert "905 documents read = 900 accepted + 5 rejected" in text
    assert "0123456789abcdef" in text
    assert "logistic regression" in text


@pytest.mark.slow
def test_page_is_deterministic(tmp_path: Path) -> None:
    code = "import sys, test_page; sys.stdout.write(test_page.render(test_page.evaluated()))"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {"PYTHONPATH": path, "PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1", "TZ": "Asia/Tokyo"}

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        check=True,
        encoding="utf-8",
    )

    assert done.stdout == render(evaluated())


@pytest.mark.parametrize(
    ("share", "threshold"), [(0.01, 0.02), (0.01, 0.999), (0.99, 0.001), (0.3, 0.4)], ids=str
)
def test_page_for_any_base_rate_and_threshold(share: float, threshold: float) -> None:
    text = render(evaluated(share, threshold))

    assert "nan" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL).lower().split()
    assert "<polyline" in text
    if threshold > 0.99:
        assert "Selects no row at this threshold" in text


def test_page_for_constant_and_null_columns() -> None:
    seen = evaluated()
    one = {"amount": 5.0, "since": pd.NaT}
    # One class only, so that no logistic regression can be fitted.
    train = seen.train.assign(**one, outcome=0)

    text = render(replace(seen, train=train, test=seen.test.assign(**one), slices={}))

    assert "A logistic regression cannot be fitted on these columns" in text
    assert "evaluation.slice_by in params.yaml names columns for slices" in text


def test_logistic_regression_is_not_compared_with_itself() -> None:
    assert "The model is itself a logistic regression" in render(evaluated(algorithm="logistic_regression"))


def test_page_of_a_thousand_columns_stays_small() -> None:
    names = [f"column_{i}" for i in range(1000)]
    columns = {name: {"path": name, "type": "number"} for name in names}
    target = {"outcome": {"path": "outcome", "type": "boolean"}}
    contract = Contract.model_validate(
        {"target": {"column": "outcome", "positive": True}, "columns": target | columns}
    )
    seen = evaluated()
    wide = pd.DataFrame(dict.fromkeys(names, np.arange(300.0))).assign(outcome=seen.test["outcome"])
    importance = [{"column": name, "roc_auc_lost": 0.0, "spread": 0.0} for name in names]
    plots = seen.plots | {"importance": importance}
    seen = replace(seen, contract=contract, train=wide, test=wide, slices={}, plots=plots)
    # A logistic regression of them takes longer than all other tests.
    seen = replace(seen, training=TrainingParameters(algorithm="logistic_regression"))

    text = render(seen)

    assert len(text) < 400_000
    assert "column_999" in text
    assert text.count("<svg") < 50
    assert page.rows_to_read(contract) == 2_000


def test_verdict_uses_small_numbers() -> None:
    classes = ("positive", "negative")
    counts = dict(zip(product(classes, classes), (70, 30, 230, 670), strict=True))
    assert verdict(counts, "a = b") == "Finds 7 of 10 with a = b by selecting 3 of 10 rows"
    assert of(1, 1_000_000) == "1 of 1,000,000"
    assert of(12, 1_000) == "12 of 1,000"
    assert of(3, 7) == "3 of 7"
    assert of(0, 20) == "0 of 10"
    assert of(20, 20) == "10 of 10"


def test_the_costs_are_those_of_the_criterion() -> None:
    assert costs_of({"cost": {"false_negative": 5, "false_positive": 1}}) == (5.0, 1.0)
    assert costs_of(0.5) == costs_of("f1") == costs_of({"recall_at": 0.8}) == (1.0, 1.0)


@pytest.mark.slow
@needs_chromium
def test_page_fits_phone_and_desktop(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(render(evaluated()), encoding="utf-8")
    with running_browser() as browser:
        for width in (375, 1400):
            browser.resize(width, 900)
            browser.driver.get(path.as_uri())
            browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
            assert browser.overflow() == 0
            smallest = browser.run(
                "return Math.min(...[...document.querySelectorAll('figure:not(.small) svg text')]"
                ".map(text => text.getBoundingClientRect().height))"
            )
            assert smallest > 9
        assert browser.driver.title.startswith("Evaluation: outcome = </style>")
        assert browser.complaints() == []
