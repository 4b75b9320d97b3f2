"""A refusal of a DVC remote is reported at once, with S3's code and advice; a temporary error is 'away'."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from operations.git_and_dvc.dvc_repository import push_data
from operations.git_and_dvc.remote_settings import check_remotes
from operations.readiness.asking import all_wrong, ask, refused
from operations.readiness.dvc_remote import PROBE, list_remotes, use_remotes
from pipeline.config.errors import ConfigurationError
from project import Project, free_port
from refusing import MESSAGE, Refusal, refusing
from s3 import BUCKET, KEYS, S3, running_s3

import pytest

# A server of S3 for the module.
pytestmark = pytest.mark.slow

# One output, which goes to the default remote.
PIPELINE = "stages:\n  one:\n    cmd: echo\n    outs:\n      - model:\n          {}\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """An S3 server for these tests alone: it starts in a second, MLflow's in ten."""
    with running_s3(tmp_path_factory.mktemp("s3")) as s3:
        yield s3


@pytest.fixture
def here(tmp_path: Path) -> Project:
    """A repository whose remote is a folder beside it."""
    project = Project(tmp_path)
    project.git("init", "-q")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "dvc.yaml").write_text(PIPELINE.format("cache: true"))
    remotes = "['remote \"local\"']\n    url = ../dvc-remote\n['remote \"s3\"']\n    url = s3://b/dvc\n"
    (tmp_path / ".dvc/config").write_text(f"[core]\n    remote = local\n{remotes}")
    return project


@pytest.fixture
def s3(here: Project, server: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The empty S3 server as the repository's remote, with its keys in the environment."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    server.use(here)
    server.fill({})
    return server


@pytest.fixture
def refusal(s3: S3) -> Iterator[Refusal]:
    """The requests that the proxy between the repository and S3 refuses."""
    with refusing(s3.endpoint) as (endpoint, what):
        lead(s3.endpoint, endpoint)
        yield what


def lead(old: str, new: str) -> None:
    """Change DVC's settings of the repository."""
    for path in (Path(".dvc/config"), Path(".dvc/config.local")):
        if path.exists():
            path.write_text(path.read_text().replace(old, new))


def anything(method: str, path: str) -> bool:
    return True


def listing(method: str, path: str) -> bool:
    return "list-type" in path


def writing(method: str, path: str) -> bool:
    return method == "PUT"


def reading(method: str, path: str) -> bool:
    return method == "GET" and "list-type" not in path


@pytest.mark.parametrize(
    ("status", "code", "when", "advice"),
    [
        (400, "ExpiredToken", anything, "renew the credentials"),
        (400, "ExpiredToken", writing, "renew the credentials"),
        (403, "InvalidAccessKeyId", anything, "correct AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", anything, "correct AWS_ACCESS_KEY_ID"),
        (403, "AccessDenied", listing, "grant s3:ListBucket"),
        (403, "AccessDenied", writing, "grant s3:PutObject"),
        (403, "AccessDenied", reading, "grant s3:GetObject"),
        (403, "RequestTimeTooSkewed", anything, "set this machine's clock"),
        (400, "AuthorizationHeaderMalformed", anything, "set the bucket's region"),
        (404, "NoSuchBucket", anything, "make it, or correct the remote's url"),
    ],
)
def test_refusal_of_s3_is_one_line_with_its_code(
    refusal: Refusal, status: int, code: str, when: Callable[[str, str], bool], advice: str
) -> None:
    refusal.status, refusal.code, refusal.when = status, code, when

    with pytest.raises(ConfigurationError) as raised:
        use_remotes()

    message = str(raised.value)
    assert advice in message
    assert BUCKET in message
    # A missing bucket is named, with or without S3's code.
    assert code in message or code == "NoSuchBucket"
    assert "\n" not in message
    assert MESSAGE not in message
    assert raised.value.exit_code == 2


def test_temporary_error_is_away_not_refused(refusal: Refusal) -> None:
    refusal.status, refusal.code, refusal.when = 503, "SlowDown", anything

    answers = ask({"remote": list_remotes}, timeout=0.5)

    assert all_wrong(answers)
    assert refused(answers) is None


def test_silent_server_is_named_with_its_remote(s3: S3) -> None:
    lead(s3.endpoint, f"http://localhost:{free_port()}")

    why = all_wrong(ask({"remote": use_remotes}))["remote"]

    assert re.fullmatch(
        rf"s3 \(s3://{BUCKET}/dvc at http://localhost:\d+\) cannot be used \(Connection refused\): start .*",
        why,
    )


def test_unset_keys_are_not_waited_for(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(ConfigurationError, match="no credentials: set AWS_ACCESS_KEY_ID"):
        list_remotes()


def test_check_leaves_the_bucket_unchanged(s3: S3) -> None:
    s3.fill({"other": b"1"})

    assert "lists, takes and gives" in use_remotes()

    assert s3.objects() == {"other": 1}


def test_role_without_delete_leaves_one_object(refusal: Refusal, s3: S3) -> None:
    refusal.when = lambda method, _: method == "DELETE"

    found = [use_remotes(), use_remotes()]

    assert all("stays, since nothing may be removed" in each for each in found)
    assert list(s3.objects()) == [f"dvc/{PROBE}"]


def test_refused_push_keeps_the_work(refusal: Refusal, here: Project) -> None:
    Path("new.txt").write_text("new")
    here.dvc("add", "new.txt")
    refusal.status, refusal.code, refusal.when = 400, "ExpiredToken", writing

    with pytest.raises(ConfigurationError, match=r"refused by S3 \(ExpiredToken\): renew .*without training"):
        push_data()


def test_read_only_folder_is_refused(here: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is a folder that can be written" in use_remotes()
    assert not Path("dvc-remote").exists()
    monkeypatch.setattr("operations.readiness.dvc_remote.writable", lambda _: False)

    with pytest.raises(ConfigurationError, match="cannot be written: change the rights of"):
        use_remotes()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "dvc-remote",
            "dvc-remote\n    version_aware = true",
            "dvc remote modify local version_aware false",
        ),
        ("dvc-remote", "dvc-remote\n    worktree = true", "'dvc remote modify local worktree false'"),
        ("../dvc-remote", "http://127.0.0.1/dvc", "read over HTTP"),
        ("../dvc-remote", "cache", "is the cache itself"),
        ("= local", "= nowhere", "there is no DVC remote nowhere: 'dvc remote add nowhere URL'"),
        ("    remote = local", "", "DVC has no default remote: 'dvc remote default NAME'"),
    ],
)
def test_unsupported_remote_is_refused(here: Project, old: str, new: str, message: str) -> None:
    check_remotes()
    lead(old, new)

    with pytest.raises(ConfigurationError) as raised:
        check_remotes()

    assert message in str(raised.value)


def test_remote_in_a_linked_worktree_is_refused(here: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    here.git("add", ".")
    here.git("commit", "-q", "-m", "One")
    here.git("worktree", "add", "-q", "worktree")
    monkeypatch.chdir(here.root / "worktree")

    with pytest.raises(ConfigurationError, match="is a folder in this worktree, and is deleted with it"):
        check_remotes()

    Path(".dvc/config.local").write_text(f"['remote \"local\"']\n    url = {here.root}/dvc-remote\n")
    check_remotes()


def test_advice_names_the_file_of_the_setting(here: Project) -> None:
    Path(".dvc/config.local").write_text("['remote \"local\"']\n    version_aware = true\n")

    with pytest.raises(ConfigurationError, match="'dvc remote modify --local local version_aware false'"):
        check_remotes()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("remote: other", "there is no DVC remote other"),
        ("push: false", "with 'push: false' in dvc.yaml"),
    ],
)
def test_remote_of_an_output_is_checked_too(here: Project, setting: str, message: str) -> None:
    Path("dvc.yaml").write_text(PIPELINE.format(setting))

    with pytest.raises(ConfigurationError, match=message):
        check_remotes()
