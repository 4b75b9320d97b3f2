"""The check of the Git remote before a run: it exists, and accepts an atomic push."""

from pathlib import Path

from operations.git_and_dvc.git import GitError
from operations.git_and_dvc.origin import check_origin, check_push
from operations.readiness import servers
from pipeline.config.errors import ConfigurationError
from project import Project, free_port

import pytest


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A clone of an empty repository, with one commit."""
    Project(tmp_path).run("git", "init", "-q", "--bare", "origin.git")
    Project(tmp_path).run("git", "clone", "-q", "origin.git", "clone")
    project = Project(tmp_path / "clone")
    project.git("commit", "-q", "--allow-empty", "-m", "One")
    monkeypatch.chdir(project.root)
    return project


def test_push_check_pushes_nothing_and_runs_no_hook(here: Project) -> None:
    hook = here.root / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\ntouch ran\nexit 1\n")
    hook.chmod(0o755)

    check_origin()
    check_push()

    assert here.git("ls-remote", "origin") == ""
    assert here.git("tag") == ""
    assert not (here.root / "ran").exists()


def test_without_a_remote_nothing_is_checked(here: Project) -> None:
    here.git("remote", "remove", "origin")

    check_origin()
    check_push()


def test_origin_without_atomic_push_is_refused_with_advice(here: Project) -> None:
    Project(here.root.with_name("origin.git")).git("config", "receive.advertiseAtomic", "false")

    with pytest.raises(ConfigurationError, match=r"accepts no atomic push.*advertiseAtomic true'"):
        check_push()


def test_local_versions_need_no_right_to_push(here: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    Project(here.root.with_name("origin.git")).git("config", "receive.advertiseAtomic", "false")
    monkeypatch.setattr(servers, "unshared", lambda: "the MLflow store lies in this clone")

    assert servers.use_git() == "versions stay in this clone: the MLflow store lies in this clone"

    monkeypatch.setattr(servers, "unshared", lambda: None)
    with pytest.raises(ConfigurationError, match="accepts no atomic push"):
        servers.use_git()


@pytest.mark.parametrize(
    ("stderr", "heals"),
    [
        ("fatal: '/nowhere.git' does not appear to be a git repository", False),
        ("ERROR: Repository not found.\nfatal: Could not read from remote repository.", False),
        (
            "git@github.com: Permission denied (publickey).\nfatal: Could not read from remote repository.",
            False,
        ),
        ("fatal: remote error: access denied or repository not exported: /team.git", False),
        ("fatal: could not read Username for 'https://github.com': terminal prompts disabled", False),
        ("fatal: Authentication failed for 'https://me:S3cret@git.example.org/team/'", False),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 403", False),
        ("fatal: remote error: service not enabled: /team.git", False),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", False),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 503", True),
        ("fatal: unable to access 'https://x/': Could not resolve host: x", True),
        ("fatal: unable to connect to x:\nx[0: 127.0.0.1]: errno=Connection refused", True),
        ("ssh: connect to host x port 22: Connection timed out", True),
        ("fatal: the remote end hung up unexpectedly", True),
    ],
)
def test_permanent_errors_of_git_are_refused(
    here: Project, monkeypatch: pytest.MonkeyPatch, stderr: str, heals: bool
) -> None:
    # Git, with the error messages of servers that the tests do not have.
    programs = here.root.parent / "bin"
    programs.mkdir()
    quoted = stderr.replace("'", "'\\''")
    script = f"""case "$1" in ls-remote) printf '%s\\n' '{quoted}' >&2; exit 128;; esac"""
    real = here.run("sh", "-c", "command -v git").stdout.strip()
    (programs / "git").write_text(f'#!/bin/sh\n{script}\nexec {real} "$@"\n')
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{here.env['PATH']}")

    with pytest.raises(GitError if heals else ConfigurationError) as raised:
        check_origin()

    assert "\n" not in str(raised.value)
    assert "S3cret" not in str(raised.value)


def test_missing_origin_is_refused_unreachable_origin_is_not(here: Project) -> None:
    here.git("remote", "set-url", "origin", "/nowhere.git")
    for check in (check_origin, check_push):
        with pytest.raises(ConfigurationError, match="'git remote set-url origin URL'"):
            check()
    here.git("remote", "set-url", "origin", f"git://127.0.0.1:{free_port()}/team.git")
    for check in (check_origin, check_push):
        with pytest.raises(GitError, match="Connection refused"):
            check()
