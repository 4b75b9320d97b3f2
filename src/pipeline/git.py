"""Git, as its own process: the few things that publishing needs of it."""

import os
import re
import subprocess

from pipeline.errors import PipelineError

REMOTE = "origin"
# How this checkout reaches its remote: it made nothing of what the lock names.
SETTINGS = ".dvc/config"


class GitError(PipelineError):
    """Git refused; the message is Git's last line."""


def git(*words: str, check: bool = True) -> str:
    """Run Git in the current folder and return what it printed, without the last newline.

    Raises:
        GitError: it failed, and `check` is true.
    """
    # A hook or an alias that runs the pipeline must not point Git at another repository.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_DIR")}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False, env=environment)
    if check and done.returncode:
        lines = [line for line in done.stderr.splitlines() if line and not line.startswith("hint:")]
        # Git may quote the URL of the remote, or a part of it, with the token that may be in it.
        said = re.sub(r"[^\s/'\"]*@", "", lines[-1]) if lines else f"exit code {done.returncode}"
        raise GitError(f"git {words[0]}: {said}")
    return done.stdout.rstrip()


def branch() -> str:
    """Return the branch that is checked out.

    Raises:
        GitError: none is (a detached HEAD).
    """
    found = git("symbolic-ref", "--quiet", "--short", "HEAD", check=False)
    if not found:
        raise GitError("no branch is checked out: 'git switch' to the one to publish on")
    return found


def has_remote() -> bool:
    """Whether there is a remote to push to."""
    return REMOTE in git("remote").split()


def changed() -> list[str]:
    """Return the paths that differ from HEAD, untracked ones too; not the settings of DVC."""
    listed = git("status", "--porcelain", "-z", "--untracked-files=all")
    return [entry[3:] for entry in listed.split("\0") if entry[2:3] == " " and entry[3:] != SETTINGS]


def remote_tags(pattern: str) -> dict[str, str]:
    """Return the commit of each annotated tag on the remote that matches; of local ones without a remote."""
    if not has_remote():
        listed = git("for-each-ref", "--format=%(*objectname) %(refname)", f"refs/tags/{pattern}")
    else:
        listed = git("ls-remote", REMOTE, f"refs/tags/{pattern}^{{}}")
    pairs = (line.split() for line in listed.splitlines())
    return {name.removeprefix("refs/tags/").removesuffix("^{}"): commit for commit, name in pairs}
