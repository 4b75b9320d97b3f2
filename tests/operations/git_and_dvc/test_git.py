"""Git in publishing: errors in one line, without the token of a remote's URL."""

import shutil
from pathlib import Path

from deployment import executable
from operations.git_and_dvc.git import GitError, branch, changed, check_identity, git, overlooked, remote_tags
from pipeline.config.errors import ConfigurationError
from project import Project, free_port

import pytest


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty repository with one commit, as the working directory."""
    project = Project(tmp_path)
    project.git("init", "-q", "-b", "main")
    (tmp_path / "dvc.lock").write_text("one")
    project.git("add", "-A")
    project.git("commit", "-qm", "One")
    monkeypatch.chdir(tmp_path)
    return project


def test_error_hides_the_token_of_the_url(repository: Project) -> None:
    # Git hides it in http URLs, but not in these.
    url = f"git://user:t0ken@127.0.0.1:{free_port()}/team/churn"

    with pytest.raises(GitError) as refused:
        git("ls-remote", url)

    assert "127.0.0.1" in str(refused.value)
    assert "t0ken" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_ssh_key_of_the_git_settings_is_used(
    repository: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = executable(tmp_path / "ssh", "echo with the deploy key >&2; exit 1")
    for variable in ("GIT_SSH_COMMAND", "GIT_SSH"):
        monkeypatch.delenv(variable, raising=False)
    repository.git("config", "core.sshCommand", str(ssh))
    with pytest.raises(GitError, match="with the deploy key"):
        git("ls-remote", "ssh://127.0.0.1/churn")

    repository.git("config", "--unset", "core.sshCommand")
    monkeypatch.setenv("GIT_SSH", str(ssh))
    with pytest.raises(GitError, match="with the deploy key"):
        git("ls-remote", "ssh://127.0.0.1/churn")


def test_remote_tags_have_their_commits(repository: Project, tmp_path: Path) -> None:
    repository.git("tag", "-a", "model-v1", "-m", "Model version 1")
    repository.git("tag", "model-v2")
    repository.git("tag", "another")
    commit = repository.git("rev-parse", "HEAD").strip()
    expected = {"model-v1": commit, "model-v2": commit}

    assert remote_tags("model-v*") == {}
    repository.git("clone", "-q", "--bare", ".", "remote.git")
    repository.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    assert remote_tags("model-v*") == expected
    assert remote_tags("model-v1") == {"model-v1": commit}


def test_repository_of_another_owner_is_refused(repository: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    with pytest.raises(GitError, match="dubious ownership"):
        branch()


def test_missing_author_is_refused_first(repository: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    repository.git("config", "user.useConfigOnly", "true")

    with pytest.raises(ConfigurationError, match=r"'git config user.name NAME' and 'git config user.email"):
        check_identity()

    repository.git("config", "user.name", "User")
    repository.git("config", "user.email", "user@example.org")
    check_identity()


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_hidden_changes_are_found(repository: Project, flag: str) -> None:
    repository.git("update-index", flag, "dvc.lock")
    assert overlooked() == []

    (repository.root / "dvc.lock").write_text("two")

    assert changed() == []
    assert overlooked() == ["dvc.lock"]
    # An unchanged link and .dvc/config do not count,
    (repository.root / "link").symlink_to("dvc.lock")
    (repository.root / ".dvc").mkdir()
    (repository.root / ".dvc/config").write_text("one")
    repository.git("add", "link", ".dvc/config")
    repository.git("update-index", flag, "link", ".dvc/config")
    (repository.root / ".dvc/config").write_text("two")
    assert overlooked() == ["dvc.lock"]
    (repository.root / "link").unlink()
    (repository.root / "link").symlink_to("elsewhere")
    assert overlooked() == ["dvc.lock", "link"]
    (repository.root / "link").unlink()
    # nor does a file that a sparse checkout leaves out.
    (repository.root / "dvc.lock").unlink()
    assert overlooked() == []


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("kill -s PIPE $$", "git ls-remote: ended by SIGPIPE"),
        (
            "echo 'error: unable to write file a: No space left on device' >&2; "
            "echo 'fatal: Could not reset index file' >&2; exit 128",
            "git ls-remote: error: unable to write file a: No space left on device",
        ),
        ("echo 'fatal: no' >&2; echo 'hint: try this' >&2; exit 1", "git ls-remote: fatal: no"),
        ("exit 3", "git ls-remote: exit code 3"),
        (
            "echo \"fatal: unable to access 'https://u:hun/ter2@h/r.git?token=hunter2'\" >&2; exit 128",
            "git ls-remote: fatal: unable to access 'https://h/r.git'",
        ),
    ],
)
def test_fatal_error_of_git_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    monkeypatch.setenv("PATH", str(executable(tmp_path / "git", script).parent), prepend=":")

    with pytest.raises(GitError) as refused:
        git("ls-remote", "origin")

    assert str(refused.value) == message


def test_missing_remote_is_named(repository: Project, tmp_path: Path) -> None:
    repository.git("remote", "add", "origin", str(tmp_path / "away.git"))

    with pytest.raises(GitError) as refused:
        git("ls-remote", "origin")

    away = tmp_path / "away.git"
    assert str(refused.value) == f"git ls-remote: fatal: '{away}' does not appear to be a git repository"


def test_refused_push_has_its_reason(repository: Project) -> None:
    # Given the remote is a checkout that has the branch checked out
    there = repository.cloned(f"{repository.root.name}-there").root
    repository.git("commit", "--allow-empty", "-qm", "Two")
    git("tag", "v1")

    with pytest.raises(GitError) as refused:
        git("push", "--atomic", str(there), "refs/tags/v1", "HEAD:refs/heads/main")

    assert str(refused.value) == "git push: [remote rejected] HEAD -> main (branch is currently checked out)"


def test_changed_files_have_their_full_names_without_dvc_settings(repository: Project) -> None:
    # The entry of a modified file begins with a space, and is the first.
    for path in ("dvc.lock", "a folder/ü.py", ".dvc/config", ".dvc/other"):
        (repository.root / path).parent.mkdir(exist_ok=True)
        (repository.root / path).write_text("new")

    assert changed() == ["dvc.lock", ".dvc/other", "a folder/ü.py"]


def test_branch_with_the_name_of_a_tag(repository: Project) -> None:
    repository.git("tag", "main")

    assert branch() == "main"


def test_hooks_use_the_programs_of_the_environment(
    repository: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(shutil.which('git') or '').parent}:/usr/bin:/bin")
    executable(repository.root / ".git/hooks/pre-commit", "exec dvc --version > version")

    git("commit", "--allow-empty", "--quiet", "--message", "Two")

    assert (repository.root / "version").read_text().strip()


def test_stale_lock_file_is_named(repository: Project) -> None:
    (repository.root / ".git/index.lock").touch()

    with pytest.raises(GitError, match=r"Unable to create '.*index\.lock': File exists"):
        git("add", "--all")


def test_hook_that_refuses_a_push_has_its_reason(repository: Project) -> None:
    repository.git("clone", "-q", "--bare", ".", "../remote.git")
    executable(repository.root / ".git/hooks/pre-push", "echo not on a Friday >&2; exit 1")

    with pytest.raises(GitError, match=r"^git push: not on a Friday$"):
        git("push", "../remote.git", "main")
