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
class Servers:
    """The servers; `folder` holds their data, and `git` is the URL of the bare repositories in it."""

    folder: Path
    s3: S3
    mlflow: str
    git: str

    @property
    def store(self) -> Path:
        """MLflow's database."""
        return self.folder / "mlflow/mlflow.db"

    def save(self, folder: Path) -> None:
        """Write the content of S3 and MLflow to a folder."""
        for key in self.s3.objects():
            path = folder / "objects" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.s3.read(key))
        copy(self.store, folder / "mlflow.db")

    def load(self, folder: Path) -> None:
        """Restore the saved content of S3 and MLflow, so that tests can share the servers."""
        objects = folder / "objects"
        files = [path for path in objects.rglob("*") if path.is_file()]
        self.s3.fill({str(path.relative_to(objects)): path.read_bytes() for path in files})
        copy(folder / "mlflow.db", self.store)


def copy(source: Path, target: Path) -> None:
    """Overwrite a SQLite database with another, also while a server uses it."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


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
    """Serve the repositories below a folder over TCP for reading and pushing; yield the folder's URL."""
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
