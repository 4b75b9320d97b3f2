"""Runs Git as a separate process: the few commands that publishing needs."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from pipeline.config.errors import ConfigurationError, PipelineError

REMOTE = "origin"
# DVC's settings: how this checkout reaches its remote. They do not affect the outputs in the lock.
SETTINGS = ".dvc/config"
# How long Git may take, in seconds: a silent remote must not block a run forever.
GIT_TIMEOUT = 600.0
# Git sets these variables for hooks. Inherited, they would point Git here at another repository.
HOOK_VARIABLES = (
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_WORK_TREE",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_COMMON_DIR",
)
# The commands that may use SSH.
REMOTE_COMMANDS = {"fetch", "ls-remote", "push"}
# Lines that Git prints after the reason, when a remote cannot be read or a hook refuses the push.
UNHELPFUL = (
    "hint:",
    "fatal: Could not read from remote",
    "Please make sure you",
    "and the repository exists",
    "error: failed to push some refs",
)
# Lines that explain more than the last one: a full disk, another user's folder, a stale lock file, a missing
# key, or why a remote refused a ref (except because it refused another one).
REASON = re.compile(
    r"No space left|dubious ownership|! \[.*rejected\](?!.*atomic)"
    r"|Unable to create|cannot lock ref|gpg failed|does not support --atomic"
)


class GitError(PipelineError):
    """Git failed; the message is Git's reason, in one line."""


def git(*words: str, check: bool = True, timeout: float = GIT_TIMEOUT) -> str:
    """Run Git in the current folder and return what it printed, without the last newline.

    Raises:
        GitError: it failed, and `check` is true; or it took longer than `timeout`, in seconds.
    """
    name = words[2] if words[0] in {"-c", "-C"} else words[0]
    environment = {key: value for key, value in os.environ.items() if key not in HOOK_VARIABLES}
    # Hooks such as DVC's call programs of this environment, which may not be activated.
    path = f"{environment.get('PATH', '')}{os.pathsep}{Path(sys.executable).parent}"
    # Git must not ask for a password.
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "PATH": path}
    if words[0] in REMOTE_COMMANDS and not (
        "GIT_SSH" in environment or git("config", "core.sshCommand", check=False)
    ):
        # GIT_SSH_COMMAND would override these two settings, which may name a deploy key.
        environment.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    try:
        done = subprocess.run(
            ["git", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            # File names may not be UTF-8.
            errors="surrogateescape",
            check=False,
            env=environment,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise GitError(f"git {name}: no answer within {timeout:.0f} seconds") from None
    if check and done.returncode:
        raise GitError(f"git {name}: {_reason(done.stderr, done.returncode)}")
    return done.stdout.rstrip()


def _reason(stderr: str, code: int) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(UNHELPFUL)] or lines
    if not lines:
        # A remote that closes the connection ends Git by SIGPIPE, without a message.
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    # Git's last line states what failed; an earlier line may state why.
    message = next((line for line in lines if REASON.search(line)), lines[-1]).strip(" !")
    # Git may quote a URL of the remote, or a part of it, which may contain a token.
    message = re.sub(r"[^\s/'\"]*@", "", re.sub(r"//[^\s'\"]*@", "//", message))
    return re.sub(r"(://[^\s'\"?]*)\?[^\s'\"]*", r"\1", message)


def branch() -> str:
    """Return the branch that is checked out.

    Raises:
        GitError: none is (a detached HEAD).
    """
    # Fails first if Git does not work here, for example in another user's folder.
    git("rev-parse", "--git-dir")
    # Not the short name, which changes if a tag has the same name.
    name = git("symbolic-ref", "--quiet", "HEAD", check=False).removeprefix("refs/heads/")
    if not name:
        raise GitError("no branch is checked out: 'git switch' to the one to publish on")
    return name


def head() -> tuple[str, str]:
    """Return the branch (empty if HEAD is detached) and the commit of HEAD."""
    return git("symbolic-ref", "--quiet", "HEAD", check=False), git("rev-parse", "HEAD")


def has_remote() -> bool:
    """Whether this clone has a Git remote.

    Raises:
        ConfigurationError: no remote is called `origin`, so versions would not be pushed.
    """
    names = git("remote").split()
    if names and REMOTE not in names:
        raise ConfigurationError(f"no Git remote is called {REMOTE}: 'git remote rename {names[0]} {REMOTE}'")
    return bool(names)


def changed() -> list[str]:
    """Return the paths that differ from HEAD, including untracked ones, without DVC's settings."""
    listed = git("status", "--porcelain", "-z", "--untracked-files=all")
    return [entry[3:] for entry in listed.split("\0") if entry[2:3] == " " and entry[3:] != SETTINGS]


def settings_changed() -> bool:
    """Whether DVC's settings differ from HEAD."""
    return bool(git("status", "--porcelain", "--", SETTINGS))


def overlooked() -> list[str]:
    """Return the changed paths that Git is set to ignore, without DVC's settings."""
    # A lower-case letter means assume-unchanged, an S means skip-worktree.
    listed = git("ls-files", "-v", "-z").split("\0")
    flagged = [entry[2:] for entry in listed if entry[:1].islower() or entry[:1] == "S"]
    # A missing path is excluded by a sparse checkout.
    return [path for path in flagged if path != SETTINGS and os.path.lexists(path) and not _as_staged(path)]


def _as_staged(path: str) -> bool:
    """Whether a file's content, or a link's target, is that of the index."""
    if Path(path).is_symlink():
        return str(Path(path).readlink()) == git("cat-file", "blob", f":{path}")
    return git("hash-object", path) == git("rev-parse", f":{path}")


def check_identity() -> None:
    """Check that Git has user.name and user.email, before a run that ends in a commit.

    Raises:
        ConfigurationError: one is not set.
    """
    try:
        for role in ("AUTHOR", "COMMITTER"):
            git("var", f"GIT_{role}_IDENT")
    except GitError as error:
        raise ConfigurationError(
            f"{error}: set 'git config user.name NAME' and 'git config user.email ADDRESS'"
        ) from None


def check_layout() -> None:
    """Check that the current folder is the root of a normal Git repository, or of none.

    Raises:
        ConfigurationError: it is a folder of a larger repository or a submodule, whose worktree is not a
            checkout of the pipeline; or a partial clone, where DVC cannot read old commits.
    """
    if inside := git("rev-parse", "--show-prefix", check=False):
        raise ConfigurationError(
            f"the project lies in the folder {inside.rstrip('/')} of a larger Git repository: versions need "
            "a repository of their own"
        )
    if git("rev-parse", "--show-superproject-working-tree", check=False):
        raise ConfigurationError("the project is a Git submodule here: work in a clone of its own")
    listed = git("config", "--type=bool", "--get-regexp", r"^remote\..*\.promisor$", check=False)
    if any(line.endswith(" true") for line in listed.splitlines()):
        raise ConfigurationError("DVC cannot read a partial clone: clone without --filter")


def remote_tags(pattern: str) -> dict[str, str]:
    """Return the commit of each tag on the remote that matches; empty without a remote."""
    if not has_remote():
        return {}
    listed = git("ls-remote", REMOTE, f"refs/tags/{pattern}", f"refs/tags/{pattern}^{{}}")
    # An annotated tag has two lines: the tag object, then its commit, which wins.
    pairs = [line.split() for line in listed.splitlines() if len(line.split()) == 2]
    return {name.removeprefix("refs/tags/").removesuffix("^{}"): commit for commit, name in pairs}
