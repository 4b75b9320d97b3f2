"""Git, as its own process: the few things that publishing needs of it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from pipeline.config.errors import ConfigurationError, PipelineError

REMOTE = "origin"
# How this checkout reaches its remote: it made nothing of what the lock names.
SETTINGS = ".dvc/config"
# How long Git may take, in seconds: a remote that says nothing must not hold a run for ever.
GIT_TIMEOUT = 600.0
# What a hook tells Git about its own repository: it must not point Git at another one here.
HOOK_VARIABLES = (
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_WORK_TREE",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_COMMON_DIR",
)
# What may reach the remote by SSH.
REMOTE_COMMANDS = {"fetch", "ls-remote", "push"}
# What Git says below the reason, where a remote cannot be read, or a hook refuses the push.
UNHELPFUL = (
    "hint:",
    "fatal: Could not read from remote",
    "Please make sure you",
    "and the repository exists",
    "error: failed to push some refs",
)
# What says more than the last line: a full disk, another's folder, a lock that was left, a key that is
# missing, or why a remote refused a ref (not for another one's sake).
REASON = re.compile(
    r"No space left|dubious ownership|! \[.*rejected\](?!.*atomic)"
    r"|Unable to create|cannot lock ref|gpg failed|does not support --atomic"
)


class GitError(PipelineError):
    """Git refused; the message is what Git said, in one line."""


def git(*words: str, check: bool = True, timeout: float = GIT_TIMEOUT) -> str:
    """Run Git in the current folder and return what it printed, without the last newline.

    Raises:
        GitError: it failed, and `check` is true; or it took longer than `patience`, in seconds.
    """
    name = words[2] if words[0] in {"-c", "-C"} else words[0]
    environment = {key: value for key, value in os.environ.items() if key not in HOOK_VARIABLES}
    # Hooks may call the programs of this environment, as DVC's do, also where it is not activated.
    path = f"{environment.get('PATH', '')}{os.pathsep}{Path(sys.executable).parent}"
    # Nobody is there to answer a question.
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "PATH": path}
    if words[0] in REMOTE_COMMANDS and not (
        "GIT_SSH" in environment or git("config", "core.sshCommand", check=False)
    ):
        # The variable would beat these two, which may name a deploy key.
        environment.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    try:
        done = subprocess.run(
            ["git", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            # A file's name may be no UTF-8.
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
        # It writes to a connection that the other side has closed: SIGPIPE, and not a word.
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    # Git's last line says what it could not do; why, it may have said before.
    message = next((line for line in lines if REASON.search(line)), lines[-1]).strip(" !")
    # Git may quote the URL of the remote, or a part of it, with the token that may be in it.
    message = re.sub(r"[^\s/'\"]*@", "", re.sub(r"//[^\s'\"]*@", "//", message))
    return re.sub(r"(://[^\s'\"?]*)\?[^\s'\"]*", r"\1", message)


def branch() -> str:
    """Return the branch that is checked out.

    Raises:
        GitError: none is (a detached HEAD).
    """
    # Whether Git works here at all is asked first: it refuses the folder of somebody else, say.
    git("rev-parse", "--git-dir")
    # Its short name would be another one where a tag has it too.
    found = git("symbolic-ref", "--quiet", "HEAD", check=False).removeprefix("refs/heads/")
    if not found:
        raise GitError("no branch is checked out: 'git switch' to the one to publish on")
    return found


def head() -> tuple[str, str]:
    """Return what HEAD is: the branch (none where it is detached), and the commit."""
    return git("symbolic-ref", "--quiet", "HEAD", check=False), git("rev-parse", "HEAD")


def has_remote() -> bool:
    """Whether there is a remote to push to.

    Raises:
        ConfigurationError: there are remotes, and none is called `origin`: versions would be pushed nowhere.
    """
    names = git("remote").split()
    if names and REMOTE not in names:
        raise ConfigurationError(f"no Git remote is called {REMOTE}: 'git remote rename {names[0]} {REMOTE}'")
    return bool(names)


def changed() -> list[str]:
    """Return the paths that differ from HEAD, untracked ones too; not the settings of DVC."""
    listed = git("status", "--porcelain", "-z", "--untracked-files=all")
    return [entry[3:] for entry in listed.split("\0") if entry[2:3] == " " and entry[3:] != SETTINGS]


def settings_changed() -> bool:
    """Whether the settings of DVC differ from HEAD."""
    return bool(git("status", "--porcelain", "--", SETTINGS))


def overlooked() -> list[str]:
    """Return the paths that differ from the index and that Git was told to overlook; not DVC's settings."""
    # A lower-case letter says "assume unchanged", an S "skip in the worktree".
    listed = git("ls-files", "-v", "-z").split("\0")
    flagged = [entry[2:] for entry in listed if entry[:1].islower() or entry[:1] == "S"]
    # What is not there is left out by a sparse checkout.
    return [path for path in flagged if path != SETTINGS and os.path.lexists(path) and not _as_staged(path)]


def _as_staged(path: str) -> bool:
    """Whether a file, or where a link leads, is what the index holds."""
    if Path(path).is_symlink():
        return str(Path(path).readlink()) == git("cat-file", "blob", f":{path}")
    return git("hash-object", path) == git("rev-parse", f":{path}")


def check_identity() -> None:
    """Look whether Git knows who commits, before anything is done that ends in a commit.

    Raises:
        ConfigurationError: it does not.
    """
    try:
        for role in ("AUTHOR", "COMMITTER"):
            git("var", f"GIT_{role}_IDENT")
    except GitError as error:
        raise ConfigurationError(
            f"{error}: say who commits, with 'git config user.name NAME' and 'git config user.email ADDRESS'"
        ) from None


def remote_tags(pattern: str) -> dict[str, str]:
    """Return the commit of each tag on the remote that matches; without a remote there are none."""
    if not has_remote():
        return {}
    listed = git("ls-remote", REMOTE, f"refs/tags/{pattern}", f"refs/tags/{pattern}^{{}}")
    # An annotated tag is an object of its own: its commit is on the second of its two lines.
    pairs = [line.split() for line in listed.splitlines() if len(line.split()) == 2]
    return {name.removeprefix("refs/tags/").removesuffix("^{}"): commit for commit, name in pairs}
