"""Concurrent publications, publications without a Git remote, and refusals."""

from project import Project
from team import Team, champion, models

import pytest
from filelock import FileLock


@pytest.mark.long
def test_concurrent_publishers(team: Team) -> None:
    # Given the publisher is killed right after the remote accepts its push
    first = team.project
    first.set(training__hist_gradient_boosting__learning_rate=0.04)
    first.dvc("repro")
    hook = team.remote.root / "hooks/post-receive"
    hook.write_text("#!/bin/sh\nkill -9 $(cat ../publisher.pid)\n")
    hook.chmod(0o755)
    killed = first.run(
        "sh", "-c", f"echo $$ > {team.folder}/publisher.pid; exec pipeline publish", check=False
    )
    hook.unlink()
    assert killed.returncode != 0
    assert "model-v2" in team.refs()
    assert champion(first) == 1

    # Then another clone registers the pushed version before its own
    second = team.member("second")
    before = second.git("rev-parse", "HEAD")
    second.dvc("pull")
    second.set(ingestion__rows_per_part=3000)
    refused = second.run("pipeline", "retrain", "--keep-data", check=False)
    assert refused.stderr == "pipeline: not committed: params.yaml: commit or stash it first\n"
    second.git("commit", "-qam", "Other parts")
    refused = second.run("pipeline", "retrain", "--keep-data", check=False)
    assert refused.returncode == 1
    assert "--read-source" in refused.stderr
    second.git("reset", "-q", "--hard", "HEAD~1")
    (second.root / "src/operations/cli.py").open("a").write("# changed\n")
    refused = second.run("pipeline", "publish", check=False)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("pipeline: not committed: src/operations/cli.py: ")
    second.git("checkout", "-q", "src")
    assert "version 2 holds this model already; it is champion" in second.run("pipeline", "publish").stdout
    _, version = models(second)
    assert version["commit"] == second.git("rev-parse", "model-v2^{commit}").strip()
    assert "model-v3" not in team.refs()

    # and of two with new models the slower one fails with a message, and leaves nothing
    for project, rate in ((first, 0.05), (second, 0.08)):
        project.set(training__hist_gradient_boosting__learning_rate=rate)
        project.dvc("repro")
    push_to_another_url_is_refused(team, first)
    first.run("pipeline", "publish")
    refused = second.run("pipeline", "publish", check=False)
    assert refused.returncode == 1
    assert "git pull" in refused.stderr.splitlines()[-1]
    assert second.git("rev-parse", "HEAD") == before
    assert "model-v4" not in second.git("tag", "--list")
    assert [version["version"] for version in models(second)] == [1, 2, 3]

    # and in one repository a file lock decides
    with FileLock(first.root / ".git/pipeline.lock"):
        for words in (("publish",), ("retrain", "--keep-data"), ("rollback", "1", "--reason", "x"), ("gc",)):
            refused = first.run("pipeline", *words, check=False)
            assert refused.returncode == 75
            assert refused.stderr.splitlines()[-1].startswith("pipeline: another retrain or publication")


def push_to_another_url_is_refused(team: Team, project: Project) -> None:
    """The tag would be missing where others fetch: they could neither restore the version nor use it."""
    before = models(project)
    project.run("git", "clone", "-q", "--bare", team.url, str(team.folder / "fork.git"))
    project.git("remote", "set-url", "--push", "origin", str(team.folder / "fork.git"))
    refused = project.run("pipeline", "publish", check=False)
    assert "pushes elsewhere than it fetches from" in refused.stderr.splitlines()[-1]
    assert "model-v3" not in team.refs()
    assert models(project) == before
    project.git("config", "--unset", "remote.origin.pushurl")


@pytest.mark.long
def test_without_a_git_remote_versions_are_local(ready: Project) -> None:
    # Given a clone in which nothing has run: workspace and MLflow lack what its lock names
    project = ready.cloned("new")
    project.git("remote", "remove", "origin")

    done = project.run("pipeline", "retrain")

    assert "version 1 is published; champion" in done.stdout
    assert "model-v1" in project.git("tag", "--list")
    # The version is complete: its data is on the DVC remote (a folder), its model outlives the worktree.
    assert "version 1: restored" in project.run("pipeline", "drill").stdout
    assert champion(project) == 1
    # A drill without a version to restore fails: here with another MLflow
    refused = project.run("pipeline", "drill", check=False, MLFLOW_TRACKING_URI="sqlite:///other.db")
    assert refused.returncode == 1
    assert "knows none of the 1 versions in Git: set MLFLOW_TRACKING_URI" in refused.stderr
