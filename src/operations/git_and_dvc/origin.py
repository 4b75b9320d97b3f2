"""Checks that the Git remote answers, and lets this clone push a version."""

import re

from operations.git_and_dvc.git import GIT_TIMEOUT, REMOTE, GitError, git, has_remote
from pipeline.config.errors import ConfigurationError

# Git's messages for errors that trying again does not solve.
FINAL = re.compile(
    r"not found|no such (file|repository)|does not exist|does not appear to be|not exported|permission denied"
    r"|access denied|authentication failed|could not read (username|password)|host key verification failed"
    r"|returned error: 40[134]|unable to find remote helper|not allowed|read[- ]only|unauthorized"
    r"|service not enabled|unable to write|insufficient permission",
    re.IGNORECASE,
)
ATOMIC = "does not support --atomic"
# A tag for the dry run of a push. It is never created.
PROBE = "refs/tags/pipeline-check"


def check_origin(timeout: float = GIT_TIMEOUT) -> None:
    """Check that the Git remote, if there is one, lists its branches.

    Raises:
        ConfigurationError: it is not a repository, or does not let this clone read.
        GitError: it does not answer.
    """
    if has_remote():
        _ask("ls-remote", "--heads", REMOTE, timeout=timeout)


def check_push(timeout: float = GIT_TIMEOUT) -> None:
    """Check that the Git remote, if there is one, accepts an atomic push of a branch and a tag.

    Nothing is pushed. Server-side hooks and branch protection refuse only a real push.

    Raises:
        ConfigurationError: it refuses pushes, or atomic pushes.
        GitError: it does not answer.
    """
    if has_remote():
        # Without the hooks of this clone: DVC's pre-push hook pushes data.
        words = ("--dry-run", "--quiet", "--no-verify", "--no-follow-tags", "--atomic")
        _ask("push", *words, REMOTE, f"HEAD:{PROBE}", timeout=timeout)


def _ask(*words: str, timeout: float) -> None:
    try:
        git(*words, timeout=timeout)
    except GitError as error:
        if ATOMIC in str(error):
            raise ConfigurationError(
                f"{REMOTE} accepts no atomic push, so a version's commit could arrive without its tag: 'git "
                "config receive.advertiseAtomic true' there, or another server"
            ) from None
        if FINAL.search(str(error)):
            raise ConfigurationError(
                f"{error}: correct its address ('git remote set-url {REMOTE} URL'), or get the right to "
                f"{'push to' if words[0] == 'push' else 'read'} it"
            ) from None
        raise
