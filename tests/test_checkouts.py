"""Which files Git tracks; each folder runs its own code on its repository's stores."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from project import ROOT, STAGES, Project, ran

from ruamel.yaml import YAML

# All of these are in Git.
IN_GIT = (
    ".ci/run",
    ".dvc/.gitignore",
    ".dvc/config",
    ".dvcignore",
    ".gitignore",
    "Makefile",
    "README.md",
    "artifacts/.gitignore",
    "dvc.yaml",
    "params.yaml",
    "pyproject.toml",
    "requirements-boosters.lock",
    "requirements.lock",
    "src/ingestion.py",
)


def tracked(project: Project) -> list[str]:
    return project.git("ls-files").splitlines()


def test_git_tracks_the_recipe_only(ready: Project) -> None:
    # Given a checkout after a run, a push and `dvc plots show`
    ready.dvc("push", "-q")
    ready.dvc("plots", "show")
    ready.git("add", "--all")

    assert ready.git("status", "--porcelain") == ""
    files = tracked(ready)
    assert set(IN_GIT) <= set(files)
    assert [name for name in files if name.startswith("artifacts/")] == ["artifacts/.gitignore"]
    kept_out = (
        "/cache",
        ".db",
        "mlruns",
        "mlartifacts",
        ".parquet",
        ".joblib",
        ".sample-mongodb",
        "dvc-remote",
    )
    assert [name for name in files if any(word in name for word in kept_out)] == []
    assert not [name for name in files if (ready.root / name).stat().st_size > 2**20]


def test_git_tracks_all_dependencies() -> None:
    # The working tree may have untracked files: a fresh clone has none.
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    needed = {dep for name in STAGES for dep in stages[name]["deps"] if not dep.startswith("artifacts/")}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    files = set(listed.splitlines())
    folders = {str(folder) for file in files for folder in Path(file).parents}
    assert needed | set(IN_GIT) <= files | folders


def test_stages_run_the_code_of_their_folder() -> None:
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]

    assert {name: stages[name]["cmd"] for name in STAGES} == {
        name: f"python src/{name}.py" for name in STAGES
    }


def test_dvc_ignores_bytecode(ready: Project) -> None:
    cached = ready.root / "src/pipeline/source/__pycache__/left.pyc"
    cached.parent.mkdir(exist_ok=True)
    cached.write_bytes(b"old")

    assert str(cached.relative_to(ready.root)) in ready.dvc(
        "check-ignore", str(cached.relative_to(ready.root))
    )


def test_no_committed_file_names_a_package_index_or_this_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if name == "tests/test_checkouts.py" or not (ROOT / name).is_file():
            continue
        text = (ROOT / name).read_text(errors="replace")
        assert "pypi.org" not in text, name
        assert "--index-url" not in text, name
        assert str(ROOT) not in text, name


def marked(project: Project, word: str) -> None:
    """Make the transformation of a checkout print a given word."""
    module = project.root / "src/transformation.py"
    module.write_text(module.read_text().replace('print(f"transformation: ', f'print(f"{word}: '))


def test_worktree_runs_its_own_code(ready: Project, tmp_path: Path) -> None:
    # Given a worktree with other code than the checkout of the environment
    folder = tmp_path / "worktree"
    ready.git("worktree", "add", "-q", "--detach", str(folder))
    worktree = Project(folder)
    worktree.dvc("cache", "dir", "--local", str(ready.root / ".dvc/cache"))
    marked(worktree, "the code of the worktree")

    # When stages run again
    printed = worktree.dvc("repro", "--force", "transformation")
    worktree.dvc("checkout")
    worktree.stage("evaluation")

    # Then the worktree's code runs, with the same bytes
    assert ran(printed) == list(STAGES[:3])
    assert "the code of the worktree: " in printed
    assert worktree.digests() == ready.digests()
    # The sample server and the MLflow store belong to the repository, not to the worktree.
    assert not (folder / ".sample-mongodb").exists()
    assert not (folder / "mlflow.db").exists()
    assert (ready.root / ".sample-mongodb").exists()


def test_a_stage_refuses_the_package_of_another_checkout(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    misled = {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(ROOT / "src")}

    done = Project(tmp_path).run("python", "src/transformation.py", check=False, **misled)

    assert done.returncode == 2
    assert done.stderr.startswith(f"transformation: the package pipeline is imported from {ROOT / 'src'} ")
    assert done.stderr.count("\n") == 1


def test_second_clone_has_its_own_code_and_stores(
    clone: Callable[..., Project],
) -> None:
    second = clone("second")
    second.stage("ingestion")
    # The sample server's data is the clone's own.
    assert (second.root / ".sample-mongodb").exists()
    module = second.root / "src/operations/commands.py"
    module.write_text(
        module.read_text().replace("The commands around the pipeline", "The second clone's commands")
    )

    assert "The second clone's commands" in second.run("pipeline", "--help").stdout
    inside = Project(second.root / "tests")
    assert "The second clone's commands" in inside.run("pipeline", "--help").stdout


def test_command_knows_the_checkout_before_it_imports_much() -> None:
    # The code of another checkout would import it again.
    code = "import sys, operations.cli; print(*sorted({'pydantic', 'pymongo', 'typer'} & {*sys.modules}))"

    assert Project(ROOT).run("python", "-c", code, PYTHONPATH="src").stdout == "\n"


def test_command_outside_a_checkout(tmp_path: Path) -> None:
    done = Project(tmp_path).run("pipeline", "arrivals", "1", check=False)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "not in a checkout" in done.stderr

    assert "The commands around the pipeline" in Project(tmp_path).run("pipeline", "--help").stdout
