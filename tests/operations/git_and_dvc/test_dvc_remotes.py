"""Old versions after the team has moved to another DVC remote."""

from project import Project, free_port

import pytest


@pytest.mark.long
def test_old_data_is_read_from_the_current_remote(ready: Project) -> None:
    # Given a version on the remote that its commit names, and another model in the workspace
    ready.git("remote", "remove", "origin")
    ready.run("pipeline", "publish")
    ready.set(training__hist_gradient_boosting__max_iter=12)
    ready.dvc("repro")
    ready.git("commit", "-qam", "A small model")
    team = str(ready.root.with_name("team"))
    for words in (("--local",), ()):
        ready.dvc("remote", "modify", *words, "s3", "url", team)
        ready.dvc("remote", "default", *words, "s3")
    ready.git("commit", "-qam", "Another remote")
    ready.dvc("push", "--all-tags")
    ready.run("rm", "-r", ".dvc/cache/files", ".dvc/config.local", "dvc-remote")

    drilled = ready.run("pipeline", "drill")

    assert drilled.stdout == "version 1: restored, every byte as published\n"
    # and it is compared with a new version, with none of its data in the cache
    ready.run("pipeline", "arrivals", "100")
    assert "version 2 is published; " in ready.run("pipeline", "retrain").stdout
    # and a report shows its scores and plots
    ready.dvc("pull", "--force")
    ready.run("pipeline", "report", "--base", "model-v1")
    assert "on the remote" not in (ready.root / "report.md").read_text()


def test_gc_deletes_nothing_without_the_git_remote(ready: Project) -> None:
    ready.dvc("remote", "modify", "s3", "endpointurl", f"http://127.0.0.1:{free_port()}")
    ready.dvc("remote", "default", "s3")
    old = ready.root / ".dvc/cache/files/md5/00/11223344556677889900aabbccddee"
    old.parent.mkdir()
    old.write_bytes(b"of no version")
    keys = {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "S3cret"}

    for command in ("gc", "drill"):
        done = ready.run("pipeline", command, check=False, **keys)

        assert done.returncode == 1
        assert done.stderr.startswith("pipeline: the DVC remote: ")
        assert done.stderr.endswith("; nothing was changed\n")
        assert done.stderr.count("\n") == 1
        assert old.exists()
