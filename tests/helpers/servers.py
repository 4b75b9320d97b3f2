"""The servers that the tests of one worker share: S3, MLflow with its artifacts there, and Git."""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow_server import running_mlflow
from project import free_port
from s3 import BUCKET, KEYS, S3, running_s3


@dataclass(frozen=True)
class Snapshot:
    """What S3 and MLflow hold at one moment."""

    objects: dict[str, bytes]
    store: Path


@dataclass(frozen=True)
class Servers:
    """The servers; `folder` holds what they serve, and the bare repositories below it are at `git`."""

    folder: Path
    s3: S3
    mlflow: str
    git: str

    @property
    def store(self) -> Path:
        """MLflow's database."""
        return self.folder / "mlflow/mlflow.db"

    def snapshot(self, name: str) -> Snapshot:
        """Keep what S3 and MLflow hold."""
        kept = self.folder / f"{name}.db"
        with closing(sqlite3.connect(self.store)) as store, closing(sqlite3.connect(kept)) as copy:
            store.backup(copy)
        return Snapshot({key: self.s3.read(key) for key in self.s3.objects()}, kept)

    def restore(self, snapshot: Snapshot) -> None:
        """Let S3 and MLflow hold what they held then: a test of its own needs no servers of its own."""
        self.s3.fill(snapshot.objects)
        with closing(sqlite3.connect(snapshot.store)) as kept, closing(sqlite3.connect(self.store)) as store:
            kept.backup(store)


@contextmanager
def running_servers(folder: Path) -> Iterator[Servers]:
    """Run an S3 server, an MLflow server and a Git server on free ports."""
    (folder / "mlflow").mkdir()
    with running_s3(folder) as s3:
        settings = KEYS | {"MLFLOW_S3_ENDPOINT_URL": s3.endpoint}
        with (
            running_mlflow(folder / "mlflow", f"s3://{BUCKET}/mlflow", **settings) as mlflow,
            running_git(folder) as git,
        ):
            yield Servers(folder, s3, mlflow, git)


@contextmanager
def running_git(folder: Path) -> Iterator[str]:
    """Serve the repositories below a folder over TCP, to read and push, and yield the folder's URL."""
    port = free_port()
    words = ("--export-all", "--enable=receive-pack", "--reuseaddr", "--listen=127.0.0.1")
    with subprocess.Popen(
        [shutil.which("git") or "git", "daemon", *words, f"--port={port}", f"--base-path={folder}", folder],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield f"git://127.0.0.1:{port}"
        finally:
            process.terminate()
