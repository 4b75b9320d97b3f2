"""The Git remote: whether it answers, and lets this clone push a version."""

import re

from operations.git_and_dvc.git import GIT_TIMEOUT, REMOTE, GitError, git, has_remote
from pipeline.config.errors import ConfigurationError

# What Git says of a remote that will say the same in a minute.
FINAL = re.compile(
    r"not found|no such (file|repository)|does not exist|does not appear to be|not exported|permission denied"
    r"|access denied|authentication failed|could not read (username|password)|host key verification failed"
    r"|returned error: 40[134]|unable to find remote helper|not allowed|read[- ]only|unauthorized"
    r"|service not enabled|unable to write|insufficient permission",
    re.IGNORECASE,
)
ATOMIC = "does not support --atomic"
# Named, and never made: Git only asks whether it could be.
PROBE = "refs/tags/pipeline-check"


def check_origin(timeout: float = GIT_TIMEOUT) -> None:
    """Ask the Git remote for its branches, if there is one.

    Raises:
        ConfigurationError: it is none, or does not let this clone read.
        GitError: it does not answer.
    """
    if has_remote():
        _ask("ls-remote", "--heads", REMOTE, timeout=timeout)


def check_push(timeout: float = GIT_TIMEOUT) -> None:
    """Ask the Git remote, if there is one, whether it takes pushes from here, a commit and its tag at once.

    Nothing is pushed. What its hooks refuse, or the protection of a branch, shows in a push only.

    Raises:
        ConfigurationError: it takes none, or not both or neither.
        GitError: it does not answer.
    """
    if has_remote():
        # No hook of this clone: DVC's own one pushes data.
        words = ("--dry-run", "--quiet", "--no-verify", "--no-follow-tags", "--atomic")
        _ask("push", *words, REMOTE, f"HEAD:{PROBE}", timeout=timeout)


def _ask(*words: str, timeout: float) -> None:
    try:
        git(*words, timeout=timeout)
    except GitError as error:
        if ATOMIC in str(error):
            raise ConfigurationError(
                f"{REMOTE} takes no atomic push, so a version's commit could arrive without its tag: 'git "
                "config receive.advertiseAtomic true' there, or another server"
            ) from None
        if FINAL.search(str(error)):
            raise ConfigurationError(
                f"{error}: correct its address ('git remote set-url {REMOTE} URL'), or get the right to "
                f"{'push to' if words[0] == 'push' else 'read'} it"
            ) from None
        raise
