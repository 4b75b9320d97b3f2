"""The S3 remote, with an S3 server over HTTP: push, status, pull, and errors."""

import hashlib
import json
import os
import re
import uuid
from pathlib import Path

from operations.readiness import waiting
from pipeline.config.errors import ConfigurationError
from pipeline.tracking.lineage import locked_outputs
from project import Project
from proxy import proxy
from s3 import BUCKET, KEYS, S3, SECRET, running_s3

import pytest
from ruamel.yaml import YAML

# s3fs sends files from twice its chunk of 50 MiB in parts.
MULTIPART = 100 * 2**20


def test_s3_round_trip_is_bit_for_bit(ready: Project, s3: S3) -> None:
    # Given the settings of the docs, in a file that Git does not track
    ready.env.update(KEYS)
    ready.dvc("remote", "modify", "--local", "s3", "url", f"s3://{BUCKET}/dvc")
    ready.dvc("remote", "modify", "--local", "s3", "endpointurl", s3.endpoint)
    ready.dvc("remote", "default", "--local", "s3")
    assert "Cache and remote 's3' are in sync" not in ready.dvc("status", "--cloud")

    ready.dvc("push")

    assert "in sync" in ready.dvc("status", "--cloud")
    outputs = locked_outputs(YAML(typ="safe").load(ready.root / "dvc.lock"))
    keys = {key.removeprefix("dvc/files/md5/").replace("/", "") for key in s3.objects()}
    assert set(outputs.values()) <= keys
    second = ready.cloned("second")
    s3.use(second)
    second.dvc("pull")
    for path in (ready.root / "artifacts").rglob("*"):
        if path.is_file():
            assert (second.root / path.relative_to(ready.root)).read_bytes() == path.read_bytes(), path
    assert second.repro() == []


def test_large_file_is_sent_in_parts(ready: Project, s3: S3) -> None:
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


def test_damaged_object_is_refused(ready: Project, s3: S3) -> None:
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
    assert SECRET not in done.stdout + done.stderr


def test_s3_check_uses_the_prefix_only(ready: Project, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a bucket with other users
    s3.fill({"other/1": b"1", "2": b"2"})
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(ready.root)
    s3.use(ready)

    def asks() -> list[str]:
        known = s3.log.stat().st_size
        waiting.check_remote()
        return re.findall(r'"([A-Z]+ /\S*)', s3.log.read_text()[known:])

    # before the first push, the bucket is checked and not listed
    first = asks()
    assert first[-1] == f"HEAD /{BUCKET}"
    ready.dvc("push")
    (later,) = asks()
    for listing in (*first[:-1], later):
        assert listing.startswith(f"GET /{BUCKET}?list-type=2&prefix=dvc")

    # and a missing bucket is named at once, without waiting
    s3.use(ready, bucket="nowhere")
    with pytest.raises(ConfigurationError, match="there is no bucket nowhere"):
        waiting.wait_for_servers(0, source=False)


def test_interrupted_push_is_completed_by_the_next(ready: Project, s3: S3) -> None:
    # Given a server that dies after half of the bytes
    s3.use(ready)
    with proxy(s3.endpoint, "die", after=60_000) as (endpoint, dying):
        ready.dvc("remote", "modify", "--local", "s3", "endpointurl", endpoint)
        done = ready.run("dvc", "push", check=False)
        assert dying.struck.is_set()
    assert done.returncode != 0
    # Then its objects are complete
    some = s3.objects()
    for key in some:
        content = s3.read(key)
        name = key.removeprefix("dvc/files/md5/").replace("/", "").removesuffix(".dir")
        assert hashlib.md5(content).hexdigest() == name

    # and the next push sends the rest
    s3.use(ready)
    ready.dvc("push")

    assert len(s3.objects()) > len(some)
    assert "in sync" in ready.dvc("status", "--cloud")


def test_wrong_credentials_are_refused_and_not_shown(ready: Project, tmp_path: Path) -> None:
    # Given a server that checks keys after the four requests of the setup
    with running_s3(tmp_path, INITIAL_NO_AUTH_ACTION_COUNT="4") as server:
        iam = server.client("iam")
        iam.create_user(UserName="team")
        allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName="team", PolicyName="all", PolicyDocument=policy)
        key = iam.create_access_key(UserName="team")["AccessKey"]
        server.use(ready)
        right = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

        wrong = right | {"AWS_SECRET_ACCESS_KEY": f"wrong-{uuid.uuid4().hex}"}
        refused = ready.run("dvc", "push", check=False, **wrong)

        assert refused.returncode != 0
        assert "SignatureDoesNotMatch" in refused.stderr or "Forbidden" in refused.stderr
        assert wrong["AWS_SECRET_ACCESS_KEY"] not in refused.stdout + refused.stderr
        ready.dvc("push", **right)
