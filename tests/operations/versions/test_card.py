"""The model card of a version: its content, its escapes, and the repair of a missing card."""

from typing import Any

from operations.versions import card as cards
from operations.versions.card import card, escaped, shortened, write_cards
from operations.versions.drift import Drift, Finding
from operations.versions.parameters import CardParameters
from operations.versions.registry import Registry
from operations.versions.version import CARD, DECISION, DRIFT, Publication
from pipeline.tracking.lineage import locked_tags
from project import Project

import pytest

FINDING = Finding(
    subject="price",
    rows="all",
    psi=0.31,
    test="Kolmogorov-Smirnov",
    statistic=0.2,
    p_value=1e-9,
    detail="mean 9 vs 5",
)
LINEAGE: dict[str, Any] = {
    "version": 4,
    "model": "m" * 32,
    "commit": "c" * 40,
    "data": "d" * 32,
    "tags": {DRIFT: Drift(champion=3, rows=10, found=[FINDING]).model_dump_json()},
    "decision": {"reason": "ROC AUC 0.84 vs 0.83 (version 3), 95 % interval +0.001 to +0.020"},
    "verdict": "promoted",
    "bring_back": "git checkout model-v4 && dvc pull",
}
FILES: dict[str, Any] = {
    "parameters": {
        "schema": {"target": {"column": "churned", "positive": True}},
        "training": {
            "algorithm": "random_forest",
            "random_forest": {"n_estimators": 300},
            "logistic_regression": {"C": 0.05},
            "derived_features": {"each": "a * b"},
        },
        "mlflow": {
            "card": {"intended_use": "Who to call <b>first</b>.", "owner": "[Team](https://evil.example)"}
        },
    },
    "validation": {
        "read": 1010,
        "accepted": 1000,
        "rejected": {"ingestion": 7, "validation": 3},
        "target": {"positives": 265, "positive_share": 0.265},
    },
    "metrics": {
        "rows": 200,
        "threshold": 0.42,
        "roc_auc": 0.84,
    },
    "slices": {
        "plan": {
            "good": {"rows": 90, "roc_auc": 0.9, "log_loss": 0.2},
            "a|b": {"rows": 80, "roc_auc": 0.7, "log_loss": 0.4},
            "![x](//evil)": {"rows": 30, "roc_auc": None, "log_loss": 0.1},
        }
    },
}


def test_card_shows_facts_and_statements() -> None:
    text = card(LINEAGE, FILES)

    for part in (
        "# Model card: version 4\n\nPredicts whether churned is True. Owner: \\[Team\\](https://evil.example).\n",
        "## Intended use\n\nWho to call &lt;b&gt;first&lt;/b&gt;.\n",
        f"random_forest, model `{'m' * 32}`, code and lock at commit `{'c' * 40}`.\n",
        "| n_estimators | 300 |\n- derived feature each: a \\* b\n",
        f"1,000 rows, 26.5 % positive; 10 of 1,010 documents rejected. Raw data `{'d' * 32}`.\n",
        "\nData: drift from version 3: price PSI 0.31 (mean 9 vs 5).\n",
        "| price | all | 0.310 | Kolmogorov-Smirnov | 1e-09 | mean 9 vs 5 |\n",
        "\nDecision: promoted: ROC AUC 0.84 vs 0.83 (version 3), 95 % interval +0.001 to +0.020.\n",
        "| threshold | 0.42 |\n",
        "## Limits\n\nNot stated (mlflow.card.limits).\n",
        "## Restore\n\n`git checkout model-v4 && dvc pull`\n",
    ):
        assert part in text
    assert "logistic" not in text
    worst = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| plan ")]
    assert worst == ["| plan a\\|b", "| plan good", "| plan !\\[x\\](//evil)"]
    # A version without a decision or drift, and a slice without a log loss.
    others = {**FILES, "slices": {"city": {"north": {"rows": 5, "roc_auc": 0.5}}}}
    assert "| city north | 5 | 0.5 | - |" in card(LINEAGE | {"tags": {}, "decision": None}, others)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a_b_c", "a_b_c"),
        ("_a_ *b* `c`", "\\_a\\_ \\*b\\* \\`c\\`"),
        ("two\nlines # and <i>", "two lines # and &lt;i&gt;"),
        ("C:\\x", "C:\\\\x"),
        (None, "-"),
        (0.25, "0.25"),
    ],
)
def test_card_escapes_values(value: Any, text: str) -> None:
    assert escaped(value) == text


def test_long_card_is_shortened() -> None:
    whole = "".join(f"line {number}\n" for number in range(1000))

    cut = shortened(whole)

    assert len(cut) <= 5000
    assert cut.endswith("\n\nThe whole card is model_card.md of the run.\n")
    assert whole.startswith(cut.partition("\n\nThe")[0] + "\n")
    assert shortened("short\n") == "short\n"


def test_an_unknown_key_of_a_card_is_refused() -> None:
    with pytest.raises(ValueError, match="intended"):
        CardParameters.model_validate({"intended": "?"})


def test_a_missing_card_is_written_by_the_next_publication(
    ready: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ready.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{ready.root}/mlflow.db")
    ready.git("tag", "model-v1")
    registry, tags = Registry(), {"git.commit": ready.git("rev-parse", "HEAD").strip()}
    run = registry.run_of({"model.md5": locked_tags()["model.md5"]})
    assert run is not None
    registry.register(Publication(1, run, locked_tags() | tags))

    def described() -> str:
        return str(registry.client.get_model_version(registry.name, "1").description or "")

    # Without a decision there is no card, and an error stops nothing.
    write_cards(registry, 2, again=False)
    assert described() == ""
    registry.record(1, DECISION, {"promoted": True, "reason": "the first version"})
    with monkeypatch.context() as patch:
        patch.setattr(cards, "files", lambda _: {})
        write_cards(registry, 2, again=False)
    error = capsys.readouterr().err
    assert error.endswith("pipeline: the model card of version 1 is not written: KeyError\n")
    assert CARD not in registry.version(1).tags

    write_cards(registry, 2, again=False)

    assert described().startswith("# Model card: version 1\n")
    assert "\nDecision: promoted: the first version.\n" in described()
    from mlflow.artifacts import load_text

    assert load_text(f"runs:/{run}/model_card.md") == described()
    # A card is written again only for a new decision.
    with monkeypatch.context() as patch:
        patch.setattr(cards, "card", lambda *_: "another\n")
        write_cards(registry, 1, again=False)
        assert described().startswith("# Model card")
        write_cards(registry, 1, again=True)
        assert described() == "another\n"
