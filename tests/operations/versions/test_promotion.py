"""Promotion: which version is champion, with real models and rows in a DVC repository."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from operations.versions import comparison, promotion
from operations.versions.decision import Decision
from operations.versions.loading import UnreadableModelError
from operations.versions.promotion import check_against_best, check_champion, decide
from operations.versions.publishing import reconsidered
from operations.versions.registry import BEST, CHAMPION, Registry
from operations.versions.restoring import prove, unpin
from operations.versions.served import reasons_not_to_serve
from operations.versions.splits import read_commit_split
from operations.versions.version import (
    ASKED,
    DATA_FROM,
    DECISION,
    NOT_ASKED,
    PROMOTE,
    PROMOTED,
    Publication,
    Version,
)
from pipeline.config.errors import PipelineError
from pipeline.data.artifacts import MODEL, TEST, TRAIN
from pipeline.tracking.mlflow_store import PROJECT
from project import Project

import joblib
import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

pytestmark = pytest.mark.slow
PARAMETERS = """
schema:
  id: _id
  target: {column: churned, positive: true}
  columns:
    signal: {path: signal, type: number}
    noise: {path: noise, type: number}
    churned: {path: churned, type: boolean}
evaluation: {}
"""
# The noise of each model: each is as good as the previous one, and the last is worse than the first.
STEPS = (0.0, 0.1, 0.18, 0.28)
WORST = 0.6


def model(noise: float) -> LogisticRegression:
    """Return a model with this amount of noise."""
    made = LogisticRegression()
    made.classes_ = np.array([0, 1])
    made.coef_ = np.array([[1.2, 1.2 * noise]])
    made.intercept_ = np.array([-0.72])
    made.feature_names_in_ = np.array(["signal", "noise"], dtype=object)
    made.n_features_in_ = 2
    return made


def log(noise: float) -> str:
    """Log a model to MLflow as evaluation does, and return the run."""
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(
            model(noise), name="model", serialization_format="pickle", pip_requirements=["scikit-learn"]
        )
    return str(run.info.run_id)


def rows(seed: int, count: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    target = np.arange(count) % 2
    return pd.DataFrame(
        {
            "_id": [f"{seed}-{number}" for number in range(count)],
            "signal": 1.2 * target + random.normal(size=count),
            "noise": random.normal(size=count),
            "churned": target,
        }
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[float, str]]:
    """A repository with train and test rows in the DVC cache, and runs of some models in MLflow."""
    project = Project(tmp_path_factory.mktemp("gate") / "kept")
    for folder, seed, count in ((TRAIN, 0, 100), (TEST, 1, 2500)):
        (project.root / folder).mkdir(parents=True)
        rows(seed, count).to_parquet(project.root / folder / "part.parquet")
    (project.root / "params.yaml").write_text(PARAMETERS)
    project.git("init", "-q", "-b", "main")
    project.dvc("init", "-q")
    project.dvc("remote", "add", "-q", "-d", "local", "dvc-remote")
    project.dvc("add", "-q", str(TRAIN), str(TEST))
    project.git("add", "-A")
    project.git("commit", "-qm", "Rows")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.root)
        mlflow.set_tracking_uri(f"sqlite:///{project.root}/mlflow.db")
        runs = {noise: log(noise) for noise in (*STEPS, WORST)}
    return project.root, runs


@dataclass
class Workspace:
    """A repository as the current folder; MLflow has no version yet."""

    project: Project
    runs: dict[float, str]

    def registered(self, number: int, noise: float, fresh: bool = False, **tags: str) -> Version:
        """Write a model to the workspace and register it as a version; `fresh`: in a new run."""
        (self.project.root / MODEL).parent.mkdir(exist_ok=True)
        joblib.dump(model(noise), self.project.root / MODEL)
        self.project.git("tag", f"model-v{number}")
        commit = self.project.git("rev-parse", "HEAD").strip()
        run = log(noise) if fresh else self.runs[noise]
        publication = Publication(number, run, {"git.commit": commit} | tags)
        assert Registry().register(publication) == number
        return Registry().version(number)

    def decided(self, number: int, noise: float, fresh: bool = False, **tags: str) -> Decision:
        """Register a version, and return the decision."""
        return decide(Registry(), self.registered(number, noise, fresh, **tags), None)


@pytest.fixture
def here(kept: tuple[Path, dict[float, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    root, runs = kept
    shutil.copytree(root, tmp_path / "here", symlinks=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/here/mlflow.db")
    # A thousand resamples for each of fifty comparisons take a while.
    monkeypatch.setattr(comparison, "RESAMPLES", 200)
    # test_data_gate.py tests the comparison of the data: no validation ran here.
    monkeypatch.setattr(promotion, "hold_changed_data", lambda decision, *_: decision)
    # test_served.py tests served models: no model was logged as evaluation does.
    monkeypatch.setattr(promotion, "reasons_not_to_serve", lambda *_: [])
    # On a busy machine a server may answer late: no server counts as away unless a test sets it.
    monkeypatch.setattr(promotion, "unreachable", lambda **_: {})
    Registry()
    return Workspace(Project(tmp_path / "here"), runs)


@pytest.fixture
def descent(here: Workspace) -> Workspace:
    """Versions 1 to 3, each as good as the previous one, and promoted."""
    for number, noise in enumerate(STEPS[:3], 1):
        assert here.decided(number, noise).promoted
    return here


def champion() -> Version:
    found = Registry().champion()
    assert found is not None
    return found


def best() -> int:
    found = Registry().best()
    assert found is not None
    return found.number


def set_by_hand(number: int) -> None:
    Registry().client.set_registered_model_alias(PROJECT, CHAMPION, str(number))


def test_lost_rows_are_named_with_their_commit(here: Workspace) -> None:
    commit = here.project.git("rev-parse", "HEAD").strip()
    assert len(read_commit_split(commit, TRAIN, "_id")) == len(read_commit_split(None, TRAIN, "_id")) == 100

    # Given the rows are neither in the cache nor on the remote
    shutil.rmtree(".dvc/cache/files")

    with pytest.raises(PipelineError) as caught:
        read_commit_split(commit, TRAIN, "_id")
    assert str(caught.value).startswith(f"artifacts/features/train of commit {commit[:10]} cannot be read (")


def test_damaged_rows_are_not_another_schema(here: Workspace) -> None:
    commit = here.project.git("rev-parse", "HEAD").strip()
    md5 = hashlib.md5((TRAIN / "part.parquet").read_bytes()).hexdigest()
    cached = Path(".dvc/cache/files/md5", md5[:2], md5[2:])
    content = cached.read_bytes()
    cached.chmod(0o644)
    cached.write_bytes(content[:-10])

    with pytest.raises(PipelineError) as caught:
        read_commit_split(commit, TRAIN, "_id")

    assert "cannot be read (ArrowInvalid)" in str(caught.value)


def test_the_first_version_is_champion_and_best(here: Workspace) -> None:
    assert here.decided(1, WORST) == Decision(True, "the first version")
    assert (champion().standing, champion().pinned, best()) == ("the first version", False, 1)
    assert champion().summary()["decision"] == "promoted"

    # A later version without a champion is not called the first
    Registry().client.delete_registered_model_alias(PROJECT, CHAMPION)
    assert here.decided(2, WORST).reason == "no champion to compare with"


def test_version_that_serves_other_answers_is_not_promoted(
    here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.decided(1, WORST)
    # Given a better model that MLflow serves with classes in place of probabilities
    monkeypatch.setattr(promotion, "reasons_not_to_serve", reasons_not_to_serve)

    refused = here.decided(2, 0.0)

    assert not refused.promoted
    assert (refused.difference_low or 0) > 0
    assert "; the served model and the model in DVC give different answers: " in refused.reason
    assert (champion().number, best()) == (1, 1)
    assert Registry().version(2).verdict == "not promoted"


def test_small_regressions_do_not_add_up(descent: Workspace) -> None:
    assert champion().standing.startswith("promoted: ROC AUC 0.")
    assert best() == 1

    refused = descent.decided(4, STEPS[3])

    assert not refused.promoted
    assert refused.champion == 3
    assert refused.difference_5_percent is not None
    assert refused.difference_5_percent > -0.01
    assert "; worse than the best so far, version 1: ROC AUC 0." in refused.reason
    assert (champion().number, best()) == (3, 1)


def test_better_than_the_champion_is_not_yet_the_best(descent: Workspace) -> None:
    accepted = descent.decided(4, STEPS[1])

    assert accepted.measurably_better
    assert "; against the best so far: ROC AUC 0." in accepted.reason
    assert (champion().number, best()) == (4, 1)


def test_better_than_the_best_becomes_the_best(here: Workspace) -> None:
    here.decided(1, WORST)

    assert here.decided(2, 0.0).promoted
    assert (champion().number, best()) == (2, 2)


def test_lost_best_version_blocks_nothing(descent: Workspace) -> None:
    descent.project.git("tag", "--delete", "model-v1")
    # If a server is away, the decision is made later
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(promotion, "unreachable", lambda **_: {"git": "no answer"})
        with pytest.raises(PipelineError, match="the tag model-v1 is"):
            descent.decided(4, STEPS[3])
    assert Registry().version(4).decision is None

    promoted = decide(Registry(), Registry().version(4), None)

    assert promoted.promoted
    assert "; not compared with the best so far, version 1: the tag model-v1 is neither" in promoted.reason
    # The best version may be readable next time
    assert best() == 1


def test_without_a_best_version_the_champion_is_compared(descent: Workspace) -> None:
    Registry().delete(1)

    promoted = descent.decided(4, STEPS[3])

    assert promoted.promoted
    assert "best so far" not in promoted.reason
    assert best() == 3


def test_champion_of_another_schema_blocks_nothing(here: Workspace) -> None:
    here.decided(1, 0.0)
    parameters = Path("params.yaml")
    parameters.write_text(parameters.read_text().replace("_id", "number"))

    check_champion(Registry())


def spoil(number: int, content: bytes, requirements: str = "") -> None:
    """Replace a version's model in MLflow by one of other packages."""
    # MLflow returns the stored files themselves if they are local.
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{PROJECT}/{number}"))
    (folder / "model.pkl").write_bytes(content)
    (folder / "requirements.txt").write_text(requirements)


OF_OLD = b"csklearn.tree\nOld\n."


def test_champion_of_other_packages_blocks_nothing(here: Workspace) -> None:
    # Given its model is from a scikit-learn with another name of a class
    here.decided(1, 0.0, fresh=True)
    spoil(1, OF_OLD, "scikit-learn==0.1\n")

    check_champion(Registry())
    refused = here.decided(2, 0.0)

    assert (refused.promoted, refused.champion) == (False, 1)
    assert refused.reason.startswith("version 1 cannot score this holdout (AttributeError): ")
    # A rollback to it is refused with advice on its packages
    advice = (
        r"version 1 \(AttributeError\): 'git checkout model-v1' and 'make setup' .* bring those that made it"
    )
    with pytest.raises(UnreadableModelError, match=advice):
        prove(Registry(), Registry().version(1))


def test_best_version_of_other_packages_stays_best(here: Workspace) -> None:
    here.decided(1, 0.0, fresh=True)
    here.decided(2, STEPS[1])
    spoil(1, OF_OLD, "scikit-learn==0.1\n")

    promoted = here.decided(3, STEPS[1])

    assert promoted.promoted
    assert "; not compared with the best so far, version 1: the packages here cannot read" in promoted.reason
    assert best() == 1


def test_a_damaged_champion_stops_a_publication(here: Workspace) -> None:
    here.decided(1, 0.0, fresh=True)
    spoil(1, b"")
    with pytest.raises(PipelineError, match=r"version 1: MLflow holds a damaged model of version 1 \(EOF"):
        check_champion(Registry())
    Path(mlflow.artifacts.download_artifacts(f"models:/{PROJECT}/1"), "model.pkl").unlink()
    with pytest.raises(PipelineError, match=r"version 1: MLflow at .*\(No such file or directory\)"):
        check_champion(Registry())


@pytest.mark.parametrize(
    ("low", "loss", "best"), [(0.01, -0.01, 7), (0.01, None, 7), (0.01, 0.01, 6), (0, 0, 6)]
)
def test_best_needs_better_ranking_and_equal_log_loss(low: float, loss: float | None, best: int) -> None:
    # Otherwise each step could worsen the probabilities a little, without end.
    before = Version(6, "", {}, True)
    registry: Any = SimpleNamespace(best=lambda: before)
    decision = Decision(True, "", 6, difference_low=low, log_loss_difference=loss)

    assert check_against_best(registry, decision, before, 7, None).best == best


def by_rollback() -> None:
    Registry().make_champion(2, "by rollback on 2026-11-27, pinned: calls are missed", pinned=True)


@pytest.mark.parametrize(
    ("pin", "why"),
    [
        (by_rollback, "by rollback on 2026-11-27, pinned: calls are missed"),
        (lambda: set_by_hand(2), "made champion by hand in MLflow"),
    ],
)
def test_pinned_champion_needs_a_measurably_better_version(
    pin: Callable[[], None], why: str, here: Workspace
) -> None:
    # Given version 2 was not promoted, and a person made it champion
    here.decided(1, 0.0)
    assert not here.decided(2, WORST).promoted
    pin()
    assert (champion().number, champion().pinned, champion().standing) == (2, True, why)

    # Then an equal version is not promoted, and the reason has the numbers
    refused = here.decided(3, WORST)
    assert not refused.promoted
    assert refused.difference == 0
    assert refused.reason.startswith("ROC AUC 0.")
    assert f"; not measurably better than version 2, which is pinned ({why})" in refused.reason
    assert (champion().number, champion().standing) == (2, why)
    # The chosen version is the best so far: version 1 does not block a better one
    assert here.decided(4, STEPS[3]).measurably_better
    assert (champion().number, champion().pinned, best()) == (4, False, 4)
    # and the pin is lifted
    assert here.decided(5, STEPS[3]).promoted


def test_an_older_champion_set_by_hand_is_pinned(here: Workspace) -> None:
    here.decided(1, WORST)
    here.decided(2, 0.0)

    set_by_hand(1)

    assert (champion().pinned, champion().standing) == (True, "made champion by hand in MLflow")
    assert not here.decided(3, WORST).promoted


def test_edited_record_is_ignored(here: Workspace) -> None:
    here.decided(1, 0.0)

    Registry().client.set_registered_model_tag(PROJECT, CHAMPION, "not JSON")

    assert champion().pinned


def test_unpin_lifts_the_pin(here: Workspace) -> None:
    with pytest.raises(PipelineError, match="there is no champion"):
        unpin("why")
    here.decided(1, 0.0)
    assert unpin("why") is None
    here.decided(2, STEPS[1])
    by_rollback()
    assert best() == 2
    assert unpin("the calls\nare back")

    assert not champion().pinned
    how, _, reason = champion().standing.partition(": ")
    assert how.startswith("by rollback on 2026-11-27, unpinned 2")
    assert reason == "the calls are back"
    assert here.decided(3, STEPS[1]).promoted


def test_champion_is_not_compared_with_itself(here: Workspace) -> None:
    version = here.registered(1, 0.0)
    set_by_hand(1)

    decision = decide(Registry(), version, None)

    assert decision == Decision(False, "made champion by hand before it was compared")
    assert (champion().standing, champion().pinned) == ("made champion by hand in MLflow", True)


@pytest.mark.parametrize(
    ("tags", "verdict", "reason"),
    [
        (
            {DATA_FROM: "model-v1"},
            "experiment",
            "an experiment on the data of model-v1, promoted with --promote",
        ),
        ({}, "no-promote", "promotion is switched off for this run (--no-promote)"),
    ],
)
def test_unpromoted_version_is_compared(
    tags: dict[str, str], verdict: str, reason: str, here: Workspace
) -> None:
    here.decided(1, WORST)

    decision = here.decided(2, 0.0, **{PROMOTE: NOT_ASKED}, **tags)

    assert not decision.promoted
    assert decision.difference_low is not None
    assert decision.difference_low > 0
    assert f"; {reason}" in decision.reason
    assert champion().number == 1
    summary = Registry().version(2).summary()
    assert (summary["decision"], summary["reason"], summary["pinned"]) == (verdict, decision.reason, False)


def test_experiment_becomes_champion_on_request(here: Workspace) -> None:
    here.decided(1, WORST)
    here.decided(2, 0.0, **{PROMOTE: NOT_ASKED, DATA_FROM: "model-v1"})
    # Given another version is champion by now
    here.decided(3, WORST)
    here.registered(4, 0.0)

    commit = here.project.git("rev-parse", "HEAD").strip()
    found = reconsidered(Registry(), Registry().version(2), commit, Registry().version(1))

    assert (found.champion, found.verdict, found.decision.champion) == (True, "promoted", 3)
    assert champion().number == 2


def test_requested_experiment_is_compared(here: Workspace) -> None:
    here.decided(1, 0.0)

    decision = here.decided(2, WORST, **{PROMOTE: ASKED, DATA_FROM: "model-v1"})

    assert not decision.promoted
    assert Registry().version(2).verdict == "not promoted"


def test_interrupted_promotion_is_compared_with_a_new_champion(here: Workspace) -> None:
    here.decided(1, WORST)
    # Given the decision to promote version 2, and a kill of its publication
    version = here.registered(2, STEPS[3])
    Registry().record(2, DECISION, Decision(True, "good enough", 1).content())
    here.decided(3, 0.0)
    here.registered(4, STEPS[3])

    decision = decide(Registry(), Registry().version(2), None)

    assert decision == Decision(False, "version 3 came after it", 3)
    assert json.loads(Registry().version(2).tags[DECISION]) == decision.content()
    assert champion().number == 3
    # A rollback in between overrides the old decision
    Registry().record(4, DECISION, Decision(True, "good enough", 3).content())
    Registry().make_champion(2, "by rollback on 2026-11-27, pinned: better", pinned=True)
    assert not decide(Registry(), Registry().version(4), None).promoted
    assert champion().number == version.number


def test_interrupted_promotion_is_finished(here: Workspace) -> None:
    here.decided(1, WORST)
    here.registered(2, 0.0)
    decision = Decision(True, "good enough", 1, best=2)
    Registry().record(2, DECISION, decision.content())
    # Given it is killed before the alias is set
    Registry().client.set_registered_model_alias(PROJECT, BEST, "2")

    for _ in range(2):
        assert decide(Registry(), Registry().version(2), None) == decision
        assert (champion().number, champion().standing, best()) == (2, "promoted: good enough", 2)
        assert PROMOTED in Registry().version(2).tags
