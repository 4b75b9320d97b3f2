"""The same lock gives the same bytes in a fresh clone, for all settings of the machine."""

from project import STAGES, Project

ELSEWHERE = {
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "1",
    "TZ": "Pacific/Kiritimati",
    "USER": "someone",
    "LOGNAME": "else",
}


def test_fresh_clone_reproduces_the_committed_lock(ready: Project) -> None:
    # Given a lock from other settings, and no cache
    project = ready.cloned("a folder of its own")
    committed = (project.root / "dvc.lock").read_bytes()

    ran = project.repro(**ELSEWHERE)

    assert ran == list(STAGES)
    assert (project.root / "dvc.lock").read_bytes() == committed
    assert project.git("status", "--porcelain") == ""
    assert project.repro() == []


def test_full_disk_is_one_line(ready: Project) -> None:
    # Given a full disk for the model
    ready.run("rm", "-r", "artifacts/model")
    (ready.root / "artifacts/model").symlink_to("/dev/full")

    done = ready.stage("training", check=False)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("training: ")
