"""What the gate reads of other commits."""

import pytest

from pipeline.errors import PipelineError
from pipeline.outputs import TRAIN
from pipeline.versions.gate import side
from project import Project


def test_rows_that_are_lost_are_named_with_their_commit(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ready.root)
    commit = ready.git("rev-parse", "HEAD").strip()
    assert len(side(commit, TRAIN, "_id")) == len(side(None, TRAIN, "_id")) == 4805

    # Given neither the cache nor the remote has them
    ready.run("rm", "-r", ".dvc/cache/files")

    with pytest.raises(PipelineError) as caught:
        side(commit, TRAIN, "_id")
    assert str(caught.value).startswith(f"artifacts/features/train of commit {commit[:10]} cannot be read (")
