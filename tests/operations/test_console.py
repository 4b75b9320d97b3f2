"""A closed reader or a full disk does not change the result of a command that prints."""

import subprocess
import sys
from pathlib import Path

from operations import console

import pytest

SAYS = "from operations.console import *\necho('one')\necho('two')\necho_result('three')\nprint('four')"


def ends(command: str) -> subprocess.CompletedProcess[str]:
    """Run a script that prints four lines in a shell, and return the finished process."""
    return subprocess.run(
        ["sh", "-c", command, "sh", sys.executable, SAYS],
        cwd=Path(console.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )


def test_lines_are_flushed_in_order() -> None:
    assert ends('exec "$1" -c "$2"').stdout == "one\ntwo\nthree\nfour\n"


def test_closed_reader_stops_nothing() -> None:
    done = ends('{ sleep 0.1; "$1" -c "$2"; echo $? >&2; } | true')

    assert done.stderr == "0\n"
    # nor a process that starts later and writes to the same stream
    starts = "echo('one')\nimport subprocess\nsubprocess.run(['echo', 'two'], check=True)"
    done = ends(
        f'{{ sleep 0.1; "$1" -c "from operations.console import echo\n{starts}"; echo $? >&2; }} | true'
    )

    assert done.stderr == "0\n"


def test_closed_streams_are_ignored() -> None:
    says = f"from operations.console import open_streams\nopen_streams()\n{SAYS}\nimport sys\n"
    says += (
        "assert open('/dev/null').fileno() > 2\nprint('five', file=sys.stderr)\nassert not sys.stdin.read()"
    )
    for closed, left in (("<&- >&-", "five\n"), ("<&- 2>&-", ""), ("<&- >&- 2>&-", "")):
        done = ends(f'"$1" -c "{says}" {closed}; echo $?')

        assert done.stdout.splitlines()[-1] == "0", closed
        assert done.stderr == left, closed


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_full_disk_for_the_log_stops_nothing(unbuffered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    done = ends('exec "$1" -c "$2" > /dev/full')

    assert (done.returncode, done.stderr) == (0, "")
