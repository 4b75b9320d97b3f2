"""What the gate reads of other commits, and the line of champions that it looks back on."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from operations.versions import promotion
from operations.versions.comparison import Decision
from operations.versions.loading import UnreadableModelError
from operations.versions.promotion import best_so_far, check_champion, decide, held_to_best, side
from operations.versions.registry import CHAMPION, Registry
from operations.versions.restoring import prove
from operations.versions.version import DECISION, ROLLBACK, Publication, Version
from pipeline.config.contract import load_contract
from pipeline.config.errors import PipelineError
from pipeline.config.parameters import load
from pipeline.data.artifacts import MODEL, TRAIN
from pipeline.modelling.features import read_features
from pipeline.modelling.parameters import TrainingParameters
from pipeline.tracking.mlflow_store import PROJECT
from project import Project
from training import train

import joblib
import mlflow
import pytest


@pytest.fixture
def here(ready: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A clone with its embedded stores, as the current folder."""
    monkeypatch.chdir(ready.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{ready.root}/mlflow.db")
    return ready


def test_rows_that_are_lost_are_named_with_their_commit(here: Project) -> None:
    commit = here.git("rev-parse", "HEAD").strip()
    assert len(side(commit, TRAIN, "_id")) == len(side(None, TRAIN, "_id")) == 4805

    # Given neither the cache nor the remote has them
    here.run("rm", "-r", ".dvc/cache/files")

    with pytest.raises(PipelineError) as caught:
        side(commit, TRAIN, "_id")
    assert str(caught.value).startswith(f"artifacts/features/train of commit {commit[:10]} cannot be read (")


def test_rows_that_are_damaged_are_not_taken_for_another_schema(here: Project) -> None:
    commit = here.git("rev-parse", "HEAD").strip()
    (part,) = (here.root / TRAIN).iterdir()
    md5 = hashlib.md5(part.read_bytes()).hexdigest()
    kept = here.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    content = kept.read_bytes()
    kept.chmod(0o644)
    kept.write_bytes(content[:-10])

    with pytest.raises(PipelineError) as caught:
        side(commit, TRAIN, "_id")

    assert "cannot be read (ArrowInvalid)" in str(caught.value)


def test_a_version_that_is_champion_already_does_not_meet_itself(here: Project) -> None:
    assert meets_the_champion(here, 1, 8).promoted
    registry = Registry()
    registry.client.delete_model_version_tag(PROJECT, "1", DECISION)

    assert decide(registry, registry.version(1), None).reason.startswith("it was made champion by hand")


def meets_the_champion(project: Project, number: int, iterations: int) -> Decision:
    """Train a model of so many iterations in the workspace, register it, and let the gate decide."""
    contract, parameters = load_contract(), load("training", TrainingParameters)
    block = parameters.hist_gradient_boosting | {"max_iter": iterations}
    parameters = parameters.model_copy(update={"hist_gradient_boosting": block})
    model = train(*read_features(TRAIN, contract), parameters, contract)
    joblib.dump(model, MODEL)
    registry, commit = Registry(), project.git("rev-parse", "HEAD").strip()
    project.git("tag", f"model-v{number}")
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(
            model, name="model", serialization_format="pickle", pip_requirements=["scikit-learn"]
        )
    assert registry.register(Publication(number, run.info.run_id, {"git.commit": commit})) == number
    return decide(registry, registry.version(number), None)


def test_many_small_steps_do_not_lead_down(here: Project) -> None:
    # Given each is as good as the one before it, within what is allowed
    for number, iterations in ((1, 20), (2, 12), (3, 8)):
        assert meets_the_champion(here, number, iterations).promoted

    refused = meets_the_champion(here, 4, 6)

    assert not refused.promoted
    assert refused.champion == 3
    assert refused.difference_5_percent is not None
    assert refused.difference_5_percent > -0.01
    said = (
        "as good as version 3, but not as the best so far: ROC AUC 0.8100 beside 0.8197 of version 1: it may"
    )
    assert refused.reason.startswith(said)
    assert Registry().champion() == Registry().version(3)

    # One that is better than the champion alone is not the best so far
    accepted = meets_the_champion(here, 5, 10)
    assert accepted.promoted
    assert accepted.difference_5_percent is not None
    assert accepted.difference_5_percent > 0
    assert "; and as the best so far: ROC AUC 0.8150 beside 0.8197 of version 1, at worst " in accepted.reason
    assert accepted.best == 1

    # Where it cannot be met since a server is away, the decision is made later
    here.git("tag", "--delete", "model-v1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(promotion, "unreachable", lambda **_: {"git": "no answer"})
        with pytest.raises(PipelineError, match="the tag model-v1 is"):
            meets_the_champion(here, 6, 8)
    assert Registry().version(6).decision is None

    # and else it is no reason to refuse
    promoted = decide(Registry(), Registry().version(6), None)
    assert promoted.promoted
    assert promoted.reason.startswith("ROC AUC 0.8131 beside 0.8150 of version 5")
    assert "; version 1, the best so far, was not met: the tag model-v1 is neither" in promoted.reason
    # and it is the mark still, if it is there again next time
    assert promoted.best == 1

    # Deleted in MLflow, it is one no more
    Registry().delete(1)
    promoted = meets_the_champion(here, 7, 8)
    assert promoted.promoted
    assert promoted.reason.endswith("; version 1, the best so far, was deleted in MLflow")
    assert promoted.best == 6

    # What has no champion to meet is not called the first
    Registry().client.delete_registered_model_alias(PROJECT, CHAMPION)
    assert meets_the_champion(here, 8, 8).reason.startswith("there is no champion to meet, and it passes")

    # and a champion of another schema holds nothing up before the two are compared
    here.set(schema__id="number")
    check_champion(Registry())


def spoil(number: int, model: bytes, requirements: str = "") -> None:
    """Let MLflow hold another model of a version, made with other packages."""
    # MLflow hands out the files themselves where they can be read in place.
    kept = Path(mlflow.artifacts.download_artifacts(f"models:/{PROJECT}/{number}"))
    (kept / "model.pkl").write_bytes(model)
    (kept / "requirements.txt").write_text(requirements)


def test_a_champion_that_other_packages_made_holds_nothing_up(here: Project) -> None:
    # Given its model is of a scikit-learn that had a class of another name
    assert meets_the_champion(here, 1, 20).promoted
    assert meets_the_champion(here, 2, 12).best == 1
    of_old = b"csklearn.tree\nOld\n."
    spoil(2, of_old, "scikit-learn==0.1\n")

    check_champion(Registry())
    refused = meets_the_champion(here, 3, 20)

    assert (refused.promoted, refused.champion) == (False, 2)
    assert refused.reason.startswith("version 2 cannot score this holdout (AttributeError): ")
    # and whoever wants it back is told how
    told = r"version 2 \(AttributeError\): 'git checkout model-v2' and 'make setup' bring those that made it"
    with pytest.raises(UnreadableModelError, match=told):
        prove(Registry(), Registry().version(2))

    # and the best so far is the mark still: with its own packages it can be read again
    Registry().make_champion(3)
    Registry().record(3, DECISION, Decision(True, "", 2, best=1).content())
    spoil(1, of_old, "scikit-learn==0.1\n")
    promoted = meets_the_champion(here, 4, 20)
    assert (promoted.promoted, promoted.best) == (True, 1)
    assert "; version 1, the best so far, was not met: the packages here cannot read" in promoted.reason

    # but what was made with these packages, and cannot be read, is damaged
    spoil(4, b"")
    with pytest.raises(PipelineError, match=r"version 4: MLflow holds a damaged model of version 4 \(EOF"):
        check_champion(Registry())
    Path(mlflow.artifacts.download_artifacts(f"models:/{PROJECT}/4"), "model.pkl").unlink()
    with pytest.raises(PipelineError, match=r"version 4: MLflow at .*\(No such file or directory\)"):
        check_champion(Registry())


def champion(best: int | None, **tags: Any) -> Version:
    kept = {DECISION: json.dumps(Decision(True, "", 6, best=best).content())} | tags
    return Version(7, "", kept, True)


@pytest.mark.parametrize(
    ("champion", "best"),
    [
        (champion(None), 7),
        (champion(7), 7),
        (champion(3), 3),
        # Somebody chose it: by a rollback, or in MLflow before it was compared.
        (champion(3, **{ROLLBACK: "{}"}), 7),
        (Version(7, "", {}, True), 7),
    ],
)
def test_the_best_so_far_is_the_last_that_was_better_or_chosen(champion: Version, best: int) -> None:
    assert best_so_far(champion) == best


@pytest.mark.parametrize(
    ("low", "loss", "best"), [(0.01, -0.01, 7), (0.01, None, 7), (0.01, 0.01, 6), (0, 0, 6)]
)
def test_the_mark_moves_to_what_ranks_better_and_is_no_worse_in_log_loss(
    low: float, loss: float | None, best: int
) -> None:
    # Else each step might cost a little of the probabilities, for ever.
    before = Version(6, "", {}, True)
    registry: Any = SimpleNamespace(versions=lambda: [before])
    decision = Decision(True, "", 6, difference_5_percent=low, log_loss_difference=loss)

    assert held_to_best(registry, decision, before, 7, None).best == best
