"""Situations A and C, promotion, old data with a new algorithm, rollback and housekeeping, in one history.

The history of a team, on a real Git remote, an S3 server, an MLflow server and a MongoDB server. It is one
test, since each version takes seconds; each step is a function.
"""

import hashlib
import json
import random
import subprocess

from operations.versions.provenance import versions_with
from operations.versions.publishing import CONTENT
from project import Project, ran
from s3 import SECRET
from team import Team, champion, lineage, models, registry

import pytest


def test_history_of_versions_is_restorable(team: Team) -> None:
    first = team.project
    made = {1: first_version_is_published_once(team, first)}
    made[2] = new_learning_rate_is_trained_in_ci(team, first)
    made[3] = new_data_makes_a_version(team, first)
    old_data_with_a_new_algorithm(team, first)

    versions_are_found_by_hash(first)
    unneeded_data_is_deleted(team)
    each_version_is_restored_bit_for_bit(team, made)
    rollback_needs_intact_objects(team, first)
    no_secret_is_stored(team)


def first_version_is_published_once(team: Team, project: Project) -> dict[str, str]:
    """Version 1 is published and champion; a second publication changes nothing."""
    before = team.refs(), models(project), team.s3.objects()
    assert "version 1 holds this model already" in project.run("pipeline", "publish").stdout
    assert (team.refs(), models(project), team.s3.objects()) == before
    return project.digests()


def new_learning_rate_is_trained_in_ci(team: Team, project: Project) -> dict[str, str]:
    """A: a clone with an empty cache runs training and evaluation only; a third clone gets the version."""
    project.set(training__hist_gradient_boosting__learning_rate=0.07)
    project.git("commit", "-qam", "A new learning rate")
    project.git("push", "-q")
    ci = team.member("ci")
    done = ci.run("pipeline", "retrain", "--keep-data")
    assert ran(done.stdout) == ["training", "evaluation"]
    assert "version 2 is published; champion" in done.stdout
    one, two = models(ci)
    assert (one["champion"], two["champion"]) == (False, True)
    assert one["data"] == two["data"]
    assert two["commit"] == ci.git("rev-parse", "model-v2^{commit}").strip()
    assert not lineage(ci, 2)["dirty"]
    assert lineage(ci, 1)["dirty"]
    project.git("pull", "-q")
    project.dvc("pull")
    assert project.digests() == ci.digests()
    return ci.digests()


def new_data_makes_a_version(team: Team, project: Project) -> dict[str, str]:
    """New customers are read, and the version has new data."""
    team.arrive(1200, 1300)
    project.dvc("repro", "--force", "--single-item", "ingestion")
    project.dvc("repro")
    assert "version 3 is published" in project.run("pipeline", "publish").stdout
    _, two, three = models(project)
    assert three["data"] != two["data"]
    return project.digests()


def old_data_with_a_new_algorithm(team: Team, project: Project) -> None:
    """Version 1's exact data, another algorithm; the branch and the workspace are unchanged."""
    head, workspace, before = project.git("rev-parse", "HEAD"), project.digests(), champion(project)
    words = ("--data-from", "1", "-S", "training.algorithm=random_forest")
    done = project.run(
        "pipeline", "retrain", *words, "-S", "training.random_forest.n_estimators=20", MONGODB_URI="nowhere"
    )
    assert "version 4 is published; experiment: ROC AUC" in done.stdout
    assert "compared with the version that its data is from: ROC AUC" in done.stdout
    assert champion(project) == before
    assert ran(done.stdout) == ["training", "evaluation"]
    assert (project.git("rev-parse", "HEAD"), project.digests()) == (head, workspace)
    assert project.git("status", "--porcelain") == ""
    assert head.strip() in team.refs()

    found, one = lineage(project, 4), lineage(project, 1)
    assert found["data_from"] == 1
    assert found["comparison"]["champion"] == 1
    assert found["decision"]["champion"] == before
    assert found["parameters"]["training.algorithm"] == "random_forest"
    assert not found["dirty"]
    same = {name for name in CONTENT if found["tags"][name] == one["tags"][name]}
    assert same == {"data.raw.md5", "data.train.md5"}


def each_version_is_restored_bit_for_bit(team: Team, made: dict[int, dict[str, str]]) -> None:
    """C: with an empty cache, each file has the sha256 that was published."""
    clone = team.member("restored")
    for number in (3, 1, 2, 4):
        clone.run("rm", "-rf", ".dvc/cache", "artifacts")
        clone.git("checkout", "-q", "--force", f"model-v{number}")
        clone.dvc("pull")
        assert clone.git("describe", "--exact-match").strip() == f"model-v{number}"
        restored = clone.digests()
        if number in made:
            assert restored == made[number], number
        else:
            # The experiment, made in a throw-away worktree, on the data of version 1.
            data = {path for path in made[1] if path.startswith(("raw/", "validated/", "features/"))}
            assert {path: restored[path] for path in data} == {path: made[1][path] for path in data}
    assert clone.dvc("status").strip() == "Data and pipelines are up to date."


def versions_are_found_by_hash(project: Project) -> None:
    """The hash of an artifact, or a commit, finds its versions."""

    def found(thing: str) -> list[int]:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(project.root)
            return [version.number for version in versions_with(registry(project).versions(), thing)]

    known = {model["version"]: model for model in models(project)}
    assert found(known[1]["data"]) == [1, 2, 4]
    assert found(known[3]["data"]) == [3]
    assert found(known[2]["commit"]) == [2]
    model = (project.root / "artifacts/model/model.joblib").read_bytes()
    listed = project.run("pipeline", "models", "--json", "--with", hashlib.md5(model).hexdigest()).stdout
    assert [version["version"] for version in json.loads(listed)] == [3]


def unneeded_data_is_deleted(team: Team) -> None:
    """gc cleans the cache and S3 in a clone without tags; the data of versions is kept."""
    clone = team.member("housekeeper")
    clone.git("tag", "--delete", *(f"model-v{number}" for number in (1, 2, 3, 4)))
    clone.dvc("pull")
    (clone.root / "large.bin").write_bytes(random.Random(0).randbytes(1000))
    clone.dvc("add", "large.bin")
    clone.dvc("push")
    clone.run("rm", "large.bin", "large.bin.dvc")
    before = team.s3.objects()
    done = clone.run("pipeline", "gc", "--cloud")
    assert "what every version and every branch needs is kept" in done.stdout
    assert len(before) - len(team.s3.objects()) == 1


def rollback_needs_intact_objects(team: Team, project: Project) -> None:
    """Damaged objects are named and nothing changes; with intact objects the rollback works."""
    now = champion(project)
    assert now is not None
    project.git("checkout", "-q", "model-v1")
    project.dvc("checkout", "--force")
    good = {
        hashlib.md5(path.read_bytes()).hexdigest(): path.read_bytes()
        for path in (project.root / "artifacts").glob("model/*.joblib")
    } | {
        hashlib.md5(path.read_bytes()).hexdigest(): path.read_bytes()
        for path in sorted((project.root / "artifacts").glob("features/*/*.parquet"))[:1]
    }
    for (md5, _), content in zip(good.items(), (b"damaged", None), strict=True):
        team.spoil(md5, content)
    refused = project.run("pipeline", "rollback", "1", "--reason", "it is bad", check=False)
    assert refused.returncode == 1
    line = refused.stderr.splitlines()[-1]
    assert all(md5 in line for md5 in good), line
    assert champion(project) == now
    for md5, content in good.items():
        team.spoil(md5, content)

    done = project.run("pipeline", "rollback", "1", "--reason", "it is bad")
    assert f"version 1 is champion, in place of version {now}" in done.stdout
    assert "keeps the old one: restart it" in done.stdout
    assert champion(project) == 1
    shown = json.loads(project.run("pipeline", "lineage", "1", "--json").stdout)
    assert shown["rollback"]["reason"] == "it is bad"
    assert (shown["pinned"], shown["reason"].partition(", ")[2]) == (True, "pinned: it is bad")
    assert project.run("pipeline", "unpin", "--reason", "it is mended").stdout == "version 1 is unpinned\n"
    assert not models(project)[0]["pinned"]
    assert project.git("worktree", "list").count("\n") == 1


def no_secret_is_stored(team: Team) -> None:
    """Git, DVC, S3, MLflow and the logs do not contain the key of the bucket."""
    for folder in team.folder.iterdir():
        if (folder / ".git").exists() or folder.suffix == ".git":
            objects = subprocess.run(
                ["git", "-C", str(folder), "cat-file", "--batch-all-objects", "--batch"],
                capture_output=True,
                check=True,
            ).stdout
            assert len(objects) > 100_000
            assert SECRET.encode() not in objects
    # The members' clones, the bare repository, MLflow's database and the logs of the servers.
    files = [path for path in team.servers.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 1000
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    for key in team.s3.objects():
        assert SECRET.encode() not in team.s3.read(key), key
