"""Helpers for the tests of deploy/: its cron line as cron runs it, and scripts in place of programs."""

import os
import re
import shutil
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from project import ROOT

import pytest

DEPLOY = ROOT / "deploy"
# A new value for each run, so that a test can search for it in files.
SECRET = f"s3cr3t-{uuid.uuid4().hex}"


def executable(path: Path, *lines: str) -> Path:
    """Write a shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


@dataclass
class Cron:
    """The line of the cron file, as cron runs it: its settings, and \\% for a percent sign."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    command: str = ""

    def __post_init__(self) -> None:
        lines = (DEPLOY / "churn-pipeline.cron").read_text().splitlines()
        entries = [line for line in lines if line and not line.startswith("#")]
        self.settings = dict(line.split("=", 1) for line in entries[:-1])
        *when, user, self.command = entries[-1].split(maxsplit=6)
        assert (len(when), user) == (5, "churn-pipeline")
        assert not re.search(r"(?<!\\)%", self.command), "cron takes it for the end of the line"
        # curl, and a record of its arguments, which all users of the machine can read.
        real = shutil.which("curl", path=self.settings["PATH"]) or pytest.skip("there is no curl")
        executable(self.folder / "curl", f'echo "$*" >> {self.folder}/argv', f'exec {real} "$@"')

    def run(self, url: str, token: str) -> subprocess.CompletedProcess[str]:
        """Run it against a service."""
        (self.folder / "authorization").write_text(f"Authorization: Bearer {token}\n")
        env = self.settings | {
            "PATH": f"{self.folder}{os.pathsep}{self.settings['PATH']}",
            "TRAIN_URL": url,
            "AUTHORIZATION": str(self.folder / "authorization"),
        }
        return subprocess.run(
            ["/bin/sh", "-c", self.command.replace("\\%", "%")],
            env=env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
