"""A month of a team: the champion after each event, and the reason.

On a real Git remote, an S3 server, an MLflow server and a MongoDB server; in this process if that is the
same, since each command takes seconds to start.
"""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

from customers import customer
from operations.retraining.request import Outcome, Request
from operations.retraining.steps import retrain
from operations.versions.registry import CHAMPION
from operations.versions.restoring import rollback
from pipeline.tracking.mlflow_store import PROJECT
from project import Project
from team import Team, lineage, models, registry

import pytest

BOOSTING = "training__hist_gradient_boosting__"


@pytest.mark.long
def test_each_champion_has_a_reason(team: Team) -> None:
    first = team.project
    assert champion(first) == (1, False, "the first version")

    bad_version_is_promoted_by_hand(first)
    version_is_rolled_back(first)
    equal_version_leaves_the_pinned_one(first)
    experiment_leaves_the_pinned_one(first)
    second_member_publishes_a_better_version(team)
    shrunken_data_is_held(team)

    words = [(model["version"], model["decision"], model["pinned"]) for model in models(first)]
    assert words == [
        (1, "promoted", False),
        (2, "not promoted", False),
        (3, "not promoted", False),
        (4, "experiment", False),
        (5, "promoted", False),
        (6, "not promoted", False),
    ]


def bad_version_is_promoted_by_hand(project: Project) -> None:
    outcome = retrained(project, evaluation__min_scores={}, **{f"{BOOSTING}max_iter": 1})
    assert outcome.message.startswith("version 2 is published; not promoted: ROC AUC 0.")
    assert outcome.reason is not None
    assert "(version 1), 95 % interval -0." in outcome.reason
    assert champion(project) == (1, False, "the first version")

    registry(project).client.set_registered_model_alias(PROJECT, CHAMPION, "2")

    assert champion(project) == (2, True, "made champion by hand in MLflow")


def version_is_rolled_back(project: Project) -> None:
    with inside(project):
        replaced = rollback(1, "version 2 misses\nhalf of the calls")

    assert replaced is not None
    assert replaced.number == 2
    version, pinned, reason = champion(project)
    assert (version, pinned) == (1, True)
    assert reason.startswith("by rollback on 2")
    assert reason.endswith(", pinned: version 2 misses half of the calls")


def equal_version_leaves_the_pinned_one(project: Project) -> None:
    before = champion(project)

    changed = {f"{BOOSTING}max_iter": 20, f"{BOOSTING}learning_rate": 0.07}
    outcome = retrained(project, **changed)

    assert outcome.message.startswith("version 3 is published; not promoted: ROC AUC 0.")
    assert f"; not measurably better than version 1, which is pinned ({before[2]})" in outcome.message
    assert outcome.promoted is False
    assert champion(project) == before


def experiment_leaves_the_pinned_one(project: Project) -> None:
    before = champion(project)

    words = ("--data-from", "1", "-S", "training.algorithm=logistic_regression")
    done = project.run("pipeline", "retrain", *words, MONGODB_URI="nowhere")

    assert "version 4 is published; experiment: ROC AUC 0." in done.stdout
    assert "; an experiment on the data of model-v1, promoted with --promote only" in done.stdout
    assert "; compared with the version that its data is from: ROC AUC 0." in done.stdout
    assert champion(project) == before
    found = lineage(project, 4)
    assert (found["decision"]["promoted"], found["comparison"]["champion"]) == (False, 1)


def second_member_publishes_a_better_version(team: Team) -> None:
    """Customers churn for another reason, which the pinned champion has not learned."""
    noise = random.Random(5)
    everyone = [customer(number) for number in range(1800)]
    for document in everyone:
        old = document["account"]["tenure_months"] > 57
        document["churned"] = old != (noise.random() < 0.1)
    team.database.customers.delete_many({})
    team.database.customers.insert_many(everyone)
    second = team.member("second")

    done = second.run("pipeline", "retrain")

    assert "version 5 is published; champion: ROC AUC 0." in done.stdout
    assert "vs 0." in done.stdout
    version, pinned, reason = champion(second)
    assert (version, pinned) == (5, False)
    assert reason.startswith("promoted: ROC AUC 0.")
    assert "(version 1), 95 % interval +0." in reason
    lines = second.run("pipeline", "models").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["version", "1", "2", "3", "4", "5", "champion:", "report:"]
    assert lines[-2] == f"champion: version 5, {reason}"


def shrunken_data_is_held(team: Team) -> None:
    before = champion(team.project)
    team.database.customers.delete_many({"_id": {"$gte": "T-0001100"}})

    done = team.project.run("pipeline", "retrain")

    held = (
        "version 6 is published; not promoted: the data differs from that of version 5: rows: 1,100 vs 1,800"
    )
    assert held in done.stdout
    assert "'pipeline rollback 6 --reason TEXT' makes version 6 champion" in done.stdout
    assert champion(team.project) == before


def retrained(project: Project, **parameters: object) -> Outcome:
    """Change parameters and retrain on the data of the lock, like `pipeline retrain --keep-data`."""
    project.set(**parameters)
    with inside(project):
        return retrain(Request(branch="main", keep_data=True))


@contextmanager
def inside(project: Project) -> Iterator[None]:
    """Make a checkout the current folder, with its environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.root)
        for name, value in project.env.items():
            patch.setenv(name, value)
        for name in set(os.environ) - set(project.env):
            patch.delenv(name)
        yield


def champion(project: Project) -> tuple[int, bool, str]:
    """Return the champion, whether it is pinned, and the reason."""
    (found,) = [model for model in models(project) if model["champion"]]
    return found["version"], found["pinned"], found["reason"]
