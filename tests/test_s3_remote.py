"""The S3 remote, against an S3 server over HTTP: push, status, pull, and what goes wrong on the way."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.lineage import locked_outputs
from project import Project
from s3 import BUCKET, S3, running_s3

# s3fs sends files from twice its chunk of 50 MiB in parts.
MULTIPART = 100 * 2**20


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3]:
    with running_s3(tmp_path) as server:
        yield server


def test_what_is_pushed_to_s3_is_pulled_bit_for_bit(
    ready: Project, clone: Callable[..., Project], s3: S3
) -> None:
    s3.use(ready)
    assert "Cache and remote 's3' are in sync" not in ready.dvc("status", "--cloud")

    ready.dvc("push")

    assert "in sync" in ready.dvc("status", "--cloud")
    outputs = locked_outputs(YAML(typ="safe").load(ready.root / "dvc.lock"))
    keys = {key.removeprefix("dvc/files/md5/").replace("/", "") for key in s3.objects()}
    assert set(outputs.values()) <= keys
    second = clone("second")
    s3.use(second)
    second.dvc("pull")
    for path in (ready.root / "artifacts").rglob("*"):
        if path.is_file():
            assert (second.root / path.relative_to(ready.root)).read_bytes() == path.read_bytes(), path
    assert second.repro() == []


def test_a_large_file_is_sent_in_parts_and_comes_back_whole(ready: Project, s3: S3) -> None:
    # Given an artifact that is larger than one part
    s3.use(ready)
    content = os.urandom(MULTIPART + 7)
    (ready.root / "large.bin").write_bytes(content)
    ready.dvc("add", "large.bin")

    ready.dvc("push", "large.bin.dvc")

    ((key, size),) = s3.objects().items()
    assert size == len(content)
    # A multipart upload's ETag names the number of its parts.
    assert "-" in s3.client().head_object(Bucket=BUCKET, Key=key)["ETag"]
    ready.run("rm", "-r", ".dvc/cache", "large.bin")
    ready.dvc("pull", "large.bin.dvc")
    assert (ready.root / "large.bin").read_bytes() == content


def test_a_damaged_object_is_not_taken_for_the_data(ready: Project, s3: S3) -> None:
    s3.use(ready)
    ready.dvc("push")
    model = next(
        key
        for key, size in s3.objects().items()
        if size == (ready.root / "artifacts/model/model.joblib").stat().st_size
    )
    s3.client().put_object(Bucket=BUCKET, Key=model, Body=b"damaged")
    ready.run("rm", "-r", ".dvc/cache", "artifacts/model")

    done = ready.run("dvc", "pull", check=False)

    assert done.returncode != 0
    assert not (ready.root / "artifacts/model/model.joblib").exists()


def test_a_missing_bucket_is_named(ready: Project, s3: S3) -> None:
    s3.use(ready, bucket="nowhere")

    done = ready.run("dvc", "push", check=False)

    assert done.returncode != 0
    assert "nowhere" in done.stderr or "bucket" in done.stderr.lower()
    assert "test-secret" not in done.stdout + done.stderr


def test_a_push_that_a_dying_server_cut_short_is_completed_by_the_next(ready: Project, s3: S3) -> None:
    # Given a server that dies while it is sent to, and comes back with what it had
    s3.use(ready)
    s3.stop()
    done = ready.run("dvc", "push", check=False)
    assert done.returncode != 0

    s3.start()
    s3.client().create_bucket(Bucket=BUCKET)
    ready.dvc("push")

    assert "in sync" in ready.dvc("status", "--cloud")
