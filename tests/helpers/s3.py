"""An S3 server over HTTP for the tests (moto's), which a test can stop and start again."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from project import Project, free_port, wait_for

import boto3
from botocore.config import Config

BUCKET = "churn"
# A new value for each run, so that a test can search for it in files.
SECRET = f"S3cr-{uuid.uuid4().hex}"
KEYS = {
    "AWS_ACCESS_KEY_ID": "test-key",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass
class S3:
    """The server's address, and the content of its bucket."""

    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def endpoint(self) -> str:
        """The server's URL."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, **env: str) -> None:
        """Start the server, empty: it keeps objects in memory."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(self.port)],
                stdout=log,
                stderr=log,
                env=os.environ | env | {"MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(2**24)},
            )
        wait_for(f"{self.endpoint}/moto-api/", self.process, self.log)

    def stop(self) -> None:
        """Kill the server."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def client(self, service: str = "s3") -> Any:
        """A client with the right credentials."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
            config=Config(retries={"max_attempts": 1}),
        )

    def objects(self, bucket: str = BUCKET) -> dict[str, int]:
        """Return the size of each object of a bucket, by its key."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def use(self, project: Project, bucket: str = BUCKET) -> None:
        """Make this server the checkout's default remote, in settings that Git does not track."""
        project.env.update(KEYS)
        place = f"url = s3://{bucket}/dvc\nendpointurl = {self.endpoint}"
        settings = f"[core]\nremote = s3\n['remote \"s3\"']\n{place}\n"
        (project.root / ".dvc/config.local").write_text(settings)

    def read(self, key: str) -> bytes:
        """Return the content of an object."""
        content: bytes = self.client().get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return content

    def fill(self, objects: dict[str, bytes]) -> None:
        """Replace the content of the bucket by these objects."""
        client = self.client()
        for key in self.objects().keys() - objects.keys():
            client.delete_object(Bucket=BUCKET, Key=key)
        for key, content in objects.items():
            client.put_object(Bucket=BUCKET, Key=key, Body=content)


@contextmanager
def running_s3(folder: Path, **env: str) -> Iterator[S3]:
    """Run an S3 server with an empty bucket, its log in `folder`."""
    server = S3(free_port(), folder / "s3.log")
    try:
        server.start(**env)
        server.client().create_bucket(Bucket=BUCKET)
        yield server
    finally:
        server.stop()
