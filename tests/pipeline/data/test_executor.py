"""Work over parts gives the same bytes sequentially, in local threads and on a Dask cluster."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Barrier, get_ident

import transformation
import validation
from pipeline.config.errors import PipelineError
from pipeline.data import executor
from pipeline.data.artifacts import parts
from pipeline.data.executor import part_executor
from project import ROOT, environment
from stages import Folder, digests, failure, row

import pytest
from distributed import KilledWorker, LocalCluster

OUTPUTS = ("validated", "rejected", "features/train", "features/test")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A working directory with raw parts: good ones, some with a bad row, one of bad rows, an empty one."""
    folder = Folder(tmp_path, monkeypatch)
    folder.set(validation={"min_rows": 2, "max_rejected": 0.5})
    rows = [row(number) for number in range(400)]
    for number in (70, 80, *range(150, 160)):
        rows[number]["tenure_months"] = -1
    # One thread, until a test sets more.
    monkeypatch.setattr(executor, "processors", lambda: 1)
    # The last part repeats an id of the first one.
    folder.write("raw", rows[:60], rows[60:150], rows[150:160], [], rows[160:300], [*rows[300:], row(7)])
    return folder


def results() -> dict[str, dict[str, str] | str]:
    """Return the sha256 of all outputs of both stages, and the report."""
    made: dict[str, dict[str, str] | str] = {name: digests(Path("artifacts") / name) for name in OUTPUTS}
    return made | {"report": Path("artifacts/validation.json").read_text()}


def one_by_one() -> dict[str, dict[str, str] | str]:
    """Run both stages in one thread of this process, then delete their outputs."""
    validation.main()
    transformation.main()
    made = results()
    for name in ("validated", "features"):
        shutil.rmtree(Path("artifacts") / name)
    return made


def stage(name: str, scheduler: str, source: Path = ROOT / "src") -> subprocess.CompletedProcess[str]:
    """Run a stage as a process, on the cluster."""
    return subprocess.run(
        [sys.executable, f"{source}/{name}.py"],
        env=environment(PYTHONPATH=str(source), DASK_SCHEDULER=scheduler),
        capture_output=True,
        text=True,
        check=False,
    )


def test_threads_give_the_same_bytes(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = one_by_one()
    monkeypatch.setattr(executor, "processors", lambda: 4)

    validation.main()
    transformation.main()

    assert results() == expected
    assert len(expected["validated"]) == 5


def test_results_are_in_order_and_tasks_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASK_SCHEDULER", raising=False)
    monkeypatch.setattr(executor, "processors", lambda: 2)
    both = Barrier(2)
    with part_executor(8) as several:
        assert list(several.map(abs, range(-8, 0))) == list(range(8, 0, -1))
        # Each waits for the other.
        assert sorted(several.map(lambda _: both.wait(60), range(2))) == [0, 1]


def test_no_more_threads_than_the_container_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASK_SCHEDULER", raising=False)
    # A cgroup's quota has the same effect, but cannot be set here.
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    with part_executor(8) as one:
        assert len({*one.map(lambda _: get_ident(), range(8))}) == 1


def test_error_of_a_thread_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASK_SCHEDULER", raising=False)

    def fail() -> None:
        with part_executor(8) as threads:
            list(threads.map(parts, [Path("nowhere")]))

    assert failure(fail, PipelineError).startswith("nowhere holds no Parquet part")


@contextmanager
def running_cluster(place: Path, source: Path) -> Iterator[str]:
    """Run a real scheduler and a worker with the code in `source`; yield the address."""
    address = place / "scheduler.json"
    options = ["--scheduler-file", str(address), "--host", "127.0.0.1", "--no-dashboard"]
    commands = {
        "scheduler": ["--port", "0", "--no-show"],
        "worker": ["--no-nanny", "--nthreads", "1", "--local-directory", str(place)],
    }
    with ExitStack() as stack:
        for kind, more in commands.items():
            log = stack.enter_context((place / f"{kind}.log").open("w"))
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options, *more],
                # Not the folder of the stages: the worker gets its full path.
                cwd=place,
                env=environment(PYTHONPATH=str(source)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            while not (address.exists() and address.read_text()):
                assert process.poll() is None, (place / "scheduler.log").read_text()
                time.sleep(0.1)
        yield json.loads(address.read_text())["address"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of one worker with this code."""
    with running_cluster(tmp_path_factory.mktemp("cluster"), ROOT / "src") as address:
        yield address


def test_a_cluster_gives_the_same_bytes(folder: Folder, cluster: str) -> None:
    expected = one_by_one()

    for name in ("validation", "transformation"):
        done = stage(name, cluster)
        assert (done.returncode, done.stderr) == (0, "")

    assert results() == expected


def test_a_cluster_that_runs_other_code_is_refused(folder: Folder, cluster: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "src/pipeline/checks/rules.py").open("a") as file:
        file.write("# Another rule.\n")

    done = stage("validation", cluster, tmp_path / "src")

    assert done.returncode == 1
    assert done.stderr.startswith("validation: a worker at DASK_SCHEDULER runs other code than this folder's")
    assert done.stderr.count("\n") == 1
    assert not Path("artifacts/validated").exists()


@pytest.mark.slow
def test_a_cluster_without_the_code_is_refused(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "elsewhere/pipeline").mkdir(parents=True)
    (tmp_path / "elsewhere/pipeline/__init__.py").touch()

    with running_cluster(tmp_path, tmp_path / "elsewhere") as address:
        done = stage("validation", address)

    assert done.returncode == 1
    assert done.stderr.startswith("validation: a worker at DASK_SCHEDULER runs other code than this folder's")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_unreachable_cluster_is_one_line(folder: Folder) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        unreachable = f"tcp://127.0.0.1:{free.getsockname()[1]}"

    done = stage("validation", unreachable)

    assert done.returncode == 1
    assert done.stderr == "validation: no answer at DASK_SCHEDULER: start the cluster, or unset it\n"


def use(work: Callable[[], None] = lambda: None) -> None:
    """Use the cluster for some work."""
    with part_executor(1):
        work()


def test_impossible_address_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_SCHEDULER", "carrier-pigeon://somewhere")

    assert failure(use, PipelineError).startswith("no answer at DASK_SCHEDULER")


def test_cluster_without_workers_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "WORKER", 0.5)
    with LocalCluster(n_workers=0, dashboard_address=":0") as empty:
        monkeypatch.setenv("DASK_SCHEDULER", empty.scheduler_address)

        assert "has no worker" in failure(use, PipelineError)


@pytest.mark.slow
def test_missing_package_of_a_worker_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def starve() -> None:
        raise KilledWorker("check_part", None, 3)

    with LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as own:
        monkeypatch.setenv("DASK_SCHEDULER", own.scheduler_address)

        assert "out of memory" in failure(lambda: use(starve), PipelineError)
        missing = failure(lambda: use(lambda: Path("/no/such/part").touch()), PipelineError)
        assert "the same path, and does not see /no/such/part" in missing
