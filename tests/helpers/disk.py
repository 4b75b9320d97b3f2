"""A disk that is too small, for one command."""

import subprocess

import pytest


def after_mounting(script: str) -> tuple[str, ...]:
    """Return the prefix of a command that runs after a shell script, which may mount disks.

    Only the command sees the mounts. The test is skipped if this machine does not let a user mount.
    """
    words = ("unshare", "--mount", "--map-root-user", "sh", "-c", f'{script} && exec "$@"', "sh")
    if subprocess.run([*words, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let a user mount a disk (unshare, tmpfs)")
    return words
