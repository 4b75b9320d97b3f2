"""A checkout of the project for a test to run, and the working tree as a Git repository to clone."""

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from customers import write_sample
from pipeline.source.sample import CUSTOMERS, LATE_ARRIVALS

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data"
PARAMS = DATA / "params.yaml"
# The first customers of the sample in a test's checkout, and all of them.
FIRST, EVERYONE = 1_200, 1_200 + LATE_ARRIVALS
STAGES = ("ingestion", "validation", "transformation", "training", "evaluation")
# The tests must not depend on the settings of the machine, and no setting may reach a stage.
DROPPED = ("GIT_", "DVC_", "MLFLOW_", "MONGODB_", "AWS_", "DASK_", "PYTHON", "PYTEST_", "OMP_", "PIPELINE_")


# Nor on the Git identity.
IDENTITY = {
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.org",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def environment(**changes: str) -> dict[str, str]:
    """Return a clean environment in which `python` and `dvc` are those that run the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | IDENTITY | {"PATH": path} | changes


@dataclass
class Project:
    """A checkout: runs commands in it, edits its parameters, reads its outputs."""

    root: Path
    env: dict[str, str] = field(default_factory=environment)

    @property
    def params(self) -> Path:
        """Its parameters."""
        return self.root.joinpath("params.yaml")

    def run(self, *words: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command there and return it; a non-zero exit code fails the test with the output."""
        done = subprocess.run(
            words,
            cwd=self.root,
            env=self.env | env,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=1200,
        )
        if check and done.returncode:
            raise AssertionError(
                f"{' '.join(words)} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def cloned(self, name: str) -> "Project":
        """Clone this checkout's commits into a folder beside it, without its data, cache or stores."""
        self.run("git", "clone", "-q", str(self.root), str(self.root.with_name(name)))
        return Project(self.root.with_name(name))

    def git(self, *words: str) -> str:
        """Run Git and return what it printed."""
        return self.run("git", *words).stdout

    def dvc(self, *words: str, **env: str) -> str:
        """Run DVC and return what it printed."""
        return self.run("dvc", *words, **env).stdout

    def repro(self, *words: str, **env: str) -> list[str]:
        """Run `dvc repro` and return the names of the stages that ran."""
        return ran(self.dvc("repro", *words, **env))

    def stage(self, name: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        """Run one stage as dvc.yaml does, without DVC."""
        return self.run("python", f"src/{name}.py", check=check, **env)

    def set(self, **values: Any) -> None:
        """Change parameters; a keyword's double underscores stand for dots."""
        yaml = YAML()
        content = yaml.load(self.params)
        for name, value in values.items():
            *parents, leaf = name.split("__")
            inner = content
            for parent in parents:
                inner = inner[parent]
            inner[leaf] = value
        yaml.dump(content, self.params)

    def read_from(self, uri: str, database: str, **ingestion: Any) -> None:
        """Make ingestion read `database`.customers of the server at `uri`."""
        self.env["MONGODB_URI"] = uri
        keys = {"source": "mongodb", "database": database} | ingestion
        self.set(**{f"ingestion__{key}": value for key, value in keys.items()})

    def json(self, path: str) -> Any:
        """Read a JSON file of the checkout."""
        return json.loads((self.root / path).read_text())

    def digests(self) -> dict[str, str]:
        """Return the sha256 of every file under artifacts/, by its path."""
        folder = self.root / "artifacts"
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def rejected(self, stage: str) -> list[dict[str, Any]]:
        """Read the documents that a stage rejected."""
        lines = (self.root / f"artifacts/rejected/{stage}.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


def free_port() -> int:
    """Return a loopback port without a listener."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for an HTTP server; fail the test with its log if it ends or is silent for three minutes."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer\n{log.read_text()}")


def ran(output: str) -> list[str]:
    """Return the stages that ran, from DVC's output."""
    return [name for name in STAGES if f"Running stage '{name}'" in output]


def leftovers() -> set[str]:
    """Return the ignored files of the checkout without the caches of tools: stores, data, logs."""
    words = ["git", "status", "--porcelain", "--ignored"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    ignored = {line[3:] for line in listed.splitlines() if line.startswith("!! ")}
    return {path for path in ignored if not re.search(r"__pycache__/|_cache/|\.hypothesis/", path)}


def copied(destination: Path) -> None:
    """Copy the tracked and the untracked files of the checkout, without the ignored ones."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (source := ROOT / name).is_file():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, destination / name)


def committed(folder: Path) -> Project:
    """Make a Git repository of a folder, with one commit."""
    project = Project(folder)
    project.git("init", "-q", "-b", "main")
    project.git("add", "-A")
    project.git("commit", "-qm", "The working tree")
    return project


def working_tree(destination: Path) -> Project:
    """Make a Git repository of the checkout's code with the settings and the sample of the tests."""
    copied(destination)
    shutil.copy2(PARAMS, destination / "params.yaml")
    shutil.copy2(DATA / "dvc_config", destination / ".dvc/config")
    (destination / CUSTOMERS).parent.mkdir(exist_ok=True)
    write_sample(destination / CUSTOMERS, EVERYONE)
    # Nothing has run, and the team's own stages do not run.
    (destination / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    yaml = YAML()
    content = yaml.load(destination / "dvc.yaml")
    if added := content["stages"].keys() - set(STAGES):
        for name in added:
            del content["stages"][name]
        yaml.indent(mapping=2, sequence=4, offset=2)
        yaml.dump(content, destination / "dvc.yaml")
    return committed(destination)
