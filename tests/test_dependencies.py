"""dvc.yaml declares the imports of each stage, and a change runs only the stages that depend on it."""

import ast
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from project import FIRST, ROOT, STAGES, Project, environment

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

# The dependencies of a stage besides the code that it imports and the artifacts that it reads.
PACKAGES = {"requirements.lock", "requirements-boosters.lock"}

# Change -> the stages that depend on it directly, by `dvc status`.
CHANGES = {
    "src/ingestion.py": {"ingestion"},
    "src/pipeline/source/decoding.py": {"ingestion"},
    "src/validation.py": {"validation"},
    "src/pipeline/checks/leakage.py": {"validation"},
    "src/transformation.py": {"transformation"},
    "src/training.py": {"training"},
    "src/pipeline/modelling/models.py": {"training", "evaluation"},
    "src/evaluation.py": {"evaluation"},
    "src/pipeline/tracking/runs.py": {"evaluation"},
    "src/operations/cli.py": set(),
    "src/pipeline/config/contract.py": set(STAGES),
    "src/pipeline/data/ids.py": set(STAGES),
    "requirements.lock": {"training", "evaluation"},
    "requirements-boosters.lock": {"training", "evaluation"},
    "README.md": set(),
}
PARAMETERS = {
    "ingestion.rows_per_part": (300, {"ingestion"}),
    "validation.max_rejected": (0.02, {"validation"}),
    "transformation.test_size": (0.3, {"transformation"}),
    "training.random_forest.n_estimators": (10, {"training", "evaluation"}),
    "evaluation.min_scores.roc_auc": (0.5, {"evaluation"}),
    "evaluation.threshold": (0.3, {"evaluation"}),
    "schema.columns.tenure_months.maximum": (130, set(STAGES)),
    "mlflow.registered_model": ("other", set()),
}


@cache
def all_imported(module: str) -> list[str]:
    """Return all files that a module imports, from a new process."""
    code = (
        f"import sys, {module}\n"
        "for module in list(sys.modules.values()):\n"
        "    print(getattr(module, '__file__', None) or '')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(PYTHONPATH="src"),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def imported(stage: str) -> set[str]:
    """Return the project files that a stage imports."""
    lines = {line.removeprefix(f"{ROOT}/") for line in all_imported(stage)}
    # pipeline/__init__.py has only a docstring.
    return {line for line in lines if line.startswith("src/")} - {"src/pipeline/__init__.py"}


@pytest.mark.slow
@pytest.mark.parametrize("module", [*STAGES[:3], "operations.retraining.steps"])
def test_neither_data_stages_nor_an_unchanged_retrain_import_scikit_learn(module: str) -> None:
    assert [path for path in all_imported(module) if "/sklearn/" in path] == []


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_imports_of_a_stage_are_declared(stage: str) -> None:
    declared = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"][stage]["deps"]
    code = {path for path in declared if path.startswith("src/")}
    within = {path: {dep for dep in code if Path(path).is_relative_to(dep)} for path in imported(stage)}

    assert declared == sorted(set(declared))
    assert [path for path, deps in within.items() if not deps] == []
    assert code == set().union(*within.values())
    assert (stage in ("training", "evaluation")) == (set(declared) >= PACKAGES)


def imports(path: Path) -> list[tuple[str, bool]]:
    """Return the top-level name of each import of a file, and whether it is inside a function."""
    tree = ast.parse(path.read_text())
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(name.name, node not in tree.body) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or "", node not in tree.body))
    return [(name.partition(".")[0], late) for name, late in found]


def test_arrows_point_down() -> None:
    """operations imports pipeline, a stage imports pipeline, and nothing imports a stage or operations."""
    floors = {"operations": {"operations", "pipeline"}, "pipeline": {"pipeline"}}
    ours = {*floors, *STAGES}
    assert {path.stem for path in (ROOT / "src").glob("*.py")} == set(STAGES)
    for path in sorted((ROOT / "src").rglob("*.py")):
        floor = path.relative_to(ROOT / "src").parts[0]
        for name, late in imports(path):
            assert name not in ours or name in floors.get(floor, {"pipeline"}), f"{path} imports {name}"
            # The test of imports would miss an import inside a function.
            assert not (late and name in ours and floor != "operations"), f"{path} imports {name} late"
    assert len(ast.parse((ROOT / "src/pipeline/__init__.py").read_text()).body) == 1


@pytest.fixture(scope="module")
def table_project(_reproduced: Project, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Project]:
    """One ready clone for the whole table: each row starts from the committed state."""
    folder = tmp_path_factory.mktemp("table") / "project"
    _reproduced.run("cp", "-a", str(_reproduced.root), str(folder))
    project = Project(folder)

    def back() -> Project:
        project.git("checkout", "-q", "--", ".")
        project.dvc("checkout", "-q", "--force")
        return project

    return back


def due(project: Project) -> set[str]:
    """Return the stages that DVC would run next, as `dvc status` lists them, without a new process."""
    with pytest.MonkeyPatch.context() as patch, Repo(str(project.root)) as repo:
        patch.chdir(project.root)
        return set(repo.status())


def test_change_runs_the_dependent_stages(table_project: Callable[[], Project]) -> None:
    project = table_project()
    for path, stages in CHANGES.items():
        before = (project.root / path).read_bytes()
        (project.root / path).write_bytes(before + b"\n# changed\n")

        assert due(project) == stages, path
        (project.root / path).write_bytes(before)
    before = project.params.read_bytes()
    for name, (value, stages) in PARAMETERS.items():
        project.set(**{name.replace(".", "__"): value})

        assert due(project) == stages, name
        project.params.write_bytes(before)


def test_same_output_ends_the_chain(table_project: Callable[[], Project]) -> None:
    project = table_project()
    for stage in STAGES[:-1]:
        with (project.root / f"src/{stage}.py").open("a") as file:
            file.write("\n# changed\n")

    assert project.repro() == list(STAGES[:-1])


def test_forced_ingestion_of_new_data_runs_all_stages(table_project: Callable[[], Project]) -> None:
    project = table_project()
    # With the same data, no later stage runs.
    assert project.repro("--force", "ingestion") == ["ingestion"]
    assert due(project) == set()

    project.run("pipeline", "arrivals", "100")

    # DVC cannot detect new data in MongoDB ...
    assert due(project) == set()
    # ... until ingestion is forced.
    assert project.repro("--force", "ingestion") == ["ingestion"]
    # Evaluation takes as long as the others together, and nothing depends on it.
    assert project.repro("training") == list(STAGES[1:4])
    assert due(project) == {"evaluation"}
    assert project.json("artifacts/validation.json")["accepted"] == FIRST + 100
