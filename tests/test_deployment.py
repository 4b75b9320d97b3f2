"""deploy/: its scripts run, its settings name what exists, and it leaks no secret.

The image is not built and the containers are not started: that needs a Docker engine.
"""

import configparser
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployment import DEPLOY, SECRET, Cron, executable
from operations.service.runner import GRACE
from project import ROOT, Project, environment, free_port, wait_for
from s3 import KEYS, running_s3

import pytest
from pymongo.collection import Collection
from ruamel.yaml import YAML

COMPOSE: dict[str, Any] = YAML(typ="safe", pure=True).load(DEPLOY / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
Customers = Collection[dict[str, Any]]


def seen_in(folder: Path, text: str) -> list[str]:
    """Return the files of a folder that contain a text."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [str(path) for path in files if text.encode() in path.read_bytes()]


# The entry point of the image.


@dataclass
class Container:
    """The entry point, run as in the image, but with other folders."""

    folder: Path
    env: dict[str, str]

    @property
    def clone(self) -> Path:
        """The folder of the clone."""
        return self.folder / "data/repository"

    def start(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the entry point, and return the finished process."""
        return subprocess.run(
            ["sh", DEPLOY / "entrypoint.sh", *words],
            cwd=self.folder / "data",
            env=self.env | env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def container(origin: Project, tmp_path: Path) -> Container:
    """The entry point with a team's repository, and a `pipeline` that only prints its arguments."""
    origin.run("git", "clone", "-q", "--bare", str(origin.root), str(tmp_path / "team.git"))
    (tmp_path / "data").mkdir()
    executable(tmp_path / "bin/pipeline", 'echo "$(pwd): pipeline $*"')
    env = environment(
        REPOSITORY_URL=str(tmp_path / "team.git"),
        REPOSITORY_FOLDER=str(tmp_path / "data/repository"),
        IMAGE_LOCK=str(ROOT / "requirements.lock"),
        GIT_AUTHOR_NAME="Retrainer",
        GIT_AUTHOR_EMAIL="retrainer@example.org",
        S3_ENDPOINT_URL="http://s3:8333",
    )
    return Container(tmp_path, env | {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{env['PATH']}"})


def serve_command() -> list[str]:
    """Return the default command of the image."""
    found = re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found
    return [str(word) for word in json.loads(found[1])]


def test_entry_point_clones_then_updates(container: Container) -> None:
    # Given half a clone from a killed start, and the default command
    executable(container.folder / "data/repository.partial/file")
    expected = f"{container.clone}: pipeline serve --host 0.0.0.0\n"

    # When it starts, then it clones, and the command runs
    first = container.start(*serve_command())
    assert (first.returncode, first.stdout, first.stderr) == (0, expected, "")
    settings = (container.clone / ".dvc/config.local").read_text()
    assert "remote = s3" in settings
    assert "endpointurl = http://s3:8333" in settings

    # And when the team has pushed meanwhile, and no endpoint is set any more
    team = Project(container.folder / "member")
    Project(container.folder).run("git", "clone", "-q", container.env["REPOSITORY_URL"], str(team.root))
    team.git("commit", "-q", "--allow-empty", "-m", "News")
    team.git("push", "-q")
    second = container.start(*serve_command(), S3_ENDPOINT_URL="")

    # Then the command runs on the new commit, with the configured author
    assert (second.returncode, second.stdout, second.stderr) == (0, expected, "")
    clone = Project(container.clone)
    assert clone.git("rev-parse", "HEAD") == team.git("rev-parse", "HEAD")
    assert clone.git("config", "user.name") == "Retrainer\n"
    assert clone.git("status", "--porcelain") == ""
    settings = (container.clone / ".dvc/config.local").read_text()
    assert "remote = s3" in settings
    assert "endpointurl" not in settings

    # And without the Git server, on the commit of the clone
    (container.folder / "team.git").rename(container.folder / "gone.git")
    third = container.start(*serve_command(), S3_ENDPOINT_URL="")
    assert (third.returncode, third.stdout) == (0, expected)
    assert "the clone stays at its commit" in third.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"REPOSITORY_URL": ""}, "REPOSITORY_URL is not set: name the Git repository of your team"),
        (
            {"REPOSITORY_URL": f"https://git:{SECRET}@git.example.org/team.git"},
            "REPOSITORY_URL holds a user: give GIT_USERNAME and GIT_PASSWORD instead",
        ),
    ],
    ids=["unset", "secret"],
)
def test_wrong_setting_is_one_line(container: Container, changes: dict[str, str], message: str) -> None:
    done = container.start(*serve_command(), **changes)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"entrypoint: {message}\n")
    assert list((container.folder / "data").iterdir()) == []


def test_other_packages_than_the_image_are_refused(container: Container) -> None:
    other = container.folder / "other.lock"
    other.write_text("dvc==1\n")

    done = container.start(*serve_command(), IMAGE_LOCK=str(other))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("is not the one of this image: build the image again\n")
    assert done.stderr.count("\n") == 1


def test_git_password_stays_in_the_environment(
    container: Container,
) -> None:
    query = "protocol=https\nhost=git.example.org\n"

    done = container.start("sh", "-c", f"printf '{query}' | git credential fill", GIT_PASSWORD=SECRET)

    assert done.stdout == f"{query}username=git\npassword={SECRET}\n"
    assert done.stderr == ""
    assert seen_in(container.folder / "data", SECRET) == []


def messages(log: Path) -> list[str]:
    """Return the messages that the service has logged."""
    lines = log.read_text().splitlines()
    return [str(json.loads(line)["message"]) for line in lines if line.startswith("{")]


def test_entry_point_starts_the_service(container: Container) -> None:
    # Given the service as in the image, but on loopback and with servers that are away
    port = free_port()
    (container.folder / "bin/pipeline").unlink()
    log = container.folder / "service.log"
    env = container.env | {
        "TRAIN_API_TOKEN": SECRET,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    env |= {"S3_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}", "PYTHONPATH": str(ROOT / "src")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", DEPLOY / "entrypoint.sh", *serve_command()[:-1], "127.0.0.1", "--port", str(port)],
            env=env,
            stdout=output,
            stderr=output,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process, log)
        cron = Cron(container.folder / "bin")
        url = f"http://127.0.0.1:{port}/train"

        # When cron uses the wrong token, then the right one twice, and again on the next day
        answers = [cron.run(url, "wrong"), cron.run(url, SECRET), cron.run(url, SECRET)]
        executable(container.folder / "bin/date", "echo tomorrow")
        answers.append(cron.run(url, SECRET))

        # Then one job waits for its servers
        assert [answer.returncode for answer in answers] == [1, 0, 0, 0]
        assert answers[0].stdout == f"POST {url}: 401\n"
        asked = [line for line in messages(log) if "POST" in line]
        assert [line.rsplit(" ", 1)[1] for line in asked] == ["401", "202", "202", "409"]
    finally:
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        process.wait(60)
    # And it stops within the grace period of the container
    assert time.monotonic() - began < float(SERVICES["service"]["stop_grace_period"].removesuffix("s"))
    assert messages(log)[-1].startswith("Finished server process")
    assert SECRET not in log.read_text()


# The compose file.


def test_images_have_exact_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    images = {name: service["image"] for name, service in SERVICES.items()}
    base = re.search(r"^FROM (\S+)$", DOCKERFILE, re.MULTILINE)
    assert base

    for image in [*images.values(), base[1]]:
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)*", image), image
    locked = re.search(r"^mlflow==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert locked
    assert images["mlflow"] == f"ghcr.io/mlflow/mlflow:v{locked[1]}-full"
    assert (
        images["service"] == images["bucket"] == images["on-change"] == f"churn-pipeline:{project['version']}"
    )
    assert f"--tag {images['service']} " in DOCKERFILE
    assert base[1].startswith(("python:3.11.", "python:3.12.", "python:3.13."))


def test_ports_are_bound_to_loopback() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert set(ports) == {"mongo", "s3", "mlflow", "service"}
    for port in (port for each in ports.values() for port in each):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


def test_secrets_come_from_an_ignored_file() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    example = dict(
        line.split("=", 1)
        for line in (DEPLOY / "env.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    asked = re.findall(r"\$\{(\w+)(:[?-][^}]*)?\}", text)
    secret = {name for name in example if re.search("PASSWORD|SECRET|TOKEN|KEY", name)}

    assert {name for name, _ in asked} == set(example)
    assert {example[name] for name in secret} == {""}
    # Without the secrets nothing starts; only the Git password is optional, for SSH.
    for name, otherwise in asked:
        if name in secret - {"GIT_PASSWORD"}:
            assert otherwise == ":?is not set}".removesuffix("}"), name
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|ACCESS_KEY|URI$", name) and "://mlflow" not in value:
                assert "${" in value, name
    ignored = subprocess.run(["git", "check-ignore", "deploy/.env"], cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_replica_set_key_is_private(tmp_path: Path) -> None:
    # Given the command of the container, and stubs for the programs of the image
    words = [word.replace("$$", "$") for word in SERVICES["mongo"]["entrypoint"]]
    executable(tmp_path / "bin/chown", 'test "$1" = mongodb && test -s "$2"')
    executable(tmp_path / "bin/docker-entrypoint.sh", 'echo "$*"')
    key = tmp_path / "member.key"
    env = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "KEY_FILE": str(key)}
    keys = set()

    # When it starts twice
    for _ in range(2):
        message = subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout
        assert message == f"mongod --replSet rs0 --keyFile {key} --bind_ip_all\n"
        assert key.stat().st_mode & 0o777 == 0o400
        keys.add(key.read_text())

    # Then mongod has a valid key: 6 to 1,024 characters of base64
    assert len(keys) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9+/]{6,1024}", each) for each in keys)


def test_s3_users_are_json() -> None:
    content = COMPOSE["configs"]["s3-users"]["content"]
    (user,) = json.loads(re.sub(r"\$\{(\w+)[^}]*\}", r"\1", content))["identities"]

    assert user["credentials"] == [{"accessKey": "AWS_ACCESS_KEY_ID", "secretKey": "AWS_SECRET_ACCESS_KEY"}]


@pytest.mark.slow
def test_bucket_is_created_once(tmp_path: Path) -> None:
    (bucket,) = SERVICES["bucket"]["command"]
    assert any(f"=s3://{bucket}/" in word for word in SERVICES["mlflow"]["command"])

    with running_s3(tmp_path) as store:
        env = environment(**KEYS, S3_ENDPOINT_URL=store.endpoint)
        for _ in range(2):
            subprocess.run([sys.executable, DEPLOY / "make_bucket.py", bucket], env=env, check=True)
        found = store.client().list_buckets()["Buckets"]

    assert bucket in {each["Name"] for each in found}


# The image.


def test_build_context_is_what_the_image_copies() -> None:
    copied = {
        source
        for words in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE)
        for source in words.split()[:-1]
    }
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]

    assert rules[0] == "*"
    assert {rule.removeprefix("!/") for rule in rules if rule.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)
    assert "--require-hashes --compile --requirement requirements.lock" in DOCKERFILE
    assert DOCKERFILE.index("\nUSER pipeline") < DOCKERFILE.index("\nENTRYPOINT")


# The unit of systemd.


def unit() -> configparser.ConfigParser:
    """Read the unit."""
    parser = configparser.ConfigParser(interpolation=None, delimiters="=", comment_prefixes="#")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "churn-pipeline.service")
    return parser


def test_unit_stop_time_and_writable_folders() -> None:
    service = unit()["Service"]

    assert service["KillMode"] == "mixed"
    # The job, then its waiting thread, then open requests.
    assert float(service["TimeoutStopSec"]) >= 2 * GRACE + 5
    assert float(SERVICES["service"]["stop_grace_period"].removesuffix("s")) >= 2 * GRACE + 5
    assert service["WorkingDirectory"].startswith(f"/var/lib/{service['StateDirectory']}/")
    assert service["ExecStart"] == f"{service['WorkingDirectory']}/.venv/bin/pipeline serve"
    assert service["Environment"].startswith(f"PATH={service['WorkingDirectory']}/.venv/bin:")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    # An existing program in place of the clone's.
    text = (DEPLOY / "churn-pipeline.service").read_text()
    changed = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/sh", text, flags=re.MULTILINE)
    (tmp_path / "churn-pipeline.service").write_text(changed)

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "churn-pipeline.service"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
