"""Promise 6: what dvc.yaml declares is what a stage imports, and a change runs just the stages it touches."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache

from project import ROOT, STAGES, Project, environment

import pytest
from ruamel.yaml import YAML

# What a stage depends on beyond the code that it imports and the artifacts that it reads.
PACKAGES = {"requirements.lock"}

# Change -> the stages that it touches. A comment changes a module's bytes and not what it makes, so the
# stages after it find the same inputs and do not run: that is tried for the stages' own files.
SKIP_TABLE = {
    "src/ingestion.py": {"ingestion"},
    "src/pipeline/source/decoding.py": {"ingestion"},
    "src/validation.py": {"validation"},
    "src/pipeline/checks/leakage.py": {"validation"},
    "src/transformation.py": {"transformation"},
    "src/pipeline/data/ids.py": {"ingestion", "transformation"},
    "src/training.py": {"training"},
    "src/pipeline/modelling/inputs.py": {"training"},
    "src/pipeline/modelling/models.py": {"training"},
    "src/evaluation.py": {"evaluation"},
    "src/pipeline/config/packages.py": {"training", "evaluation"},
    "src/pipeline/tracking/runs.py": {"evaluation"},
    "src/operations/cli.py": set(),
    "src/pipeline/config/contract.py": set(STAGES),
    "requirements.lock": {"training", "evaluation"},
    "README.md": set(),
}
PARAMETERS = {
    # The part size changes how the same rows are cut, so all that reads them sees other files.
    "ingestion.rows_per_part": (3000, set(STAGES)),
    "validation.max_rejected": (0.02, {"validation"}),
    "transformation.test_size": (0.3, {"transformation", "training", "evaluation"}),
    "training.hist_gradient_boosting.max_iter": (21, {"training", "evaluation"}),
    # A block of an algorithm that is not in use: the stage runs, and makes the same model.
    "training.random_forest.n_estimators": (10, {"training"}),
    "evaluation.minimum.roc_auc": (0.5, {"evaluation"}),
    # The contract is every stage's; a wider range accepts the same rows.
    "schema.columns.tenure_months.maximum": (130, set(STAGES)),
    "mlflow.registered_model": ("other", set()),
}


@cache
def imported(stage: str) -> set[str]:
    """Return the project files that the stage's process imports, asked of a process of its own."""
    code = (
        f"import sys, pipeline.{stage}\n"
        "for name, module in sorted(sys.modules.items()):\n"
        "    if name.split('.')[0] == 'pipeline': print(module.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(PYTHONPATH="src"),
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.removeprefix(f"{ROOT}/") for line in done.stdout.splitlines()}


@pytest.mark.parametrize("stage", STAGES)
def test_declared_dependencies_are_the_import_closure(stage: str) -> None:
    declared = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"][stage]["deps"]

    assert declared == sorted(set(declared))
    assert {path for path in declared if not path.startswith("artifacts/")} - PACKAGES == imported(stage)
    assert (stage in ("training", "evaluation")) == (set(declared) >= PACKAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_module_imports_a_project_module_late(stage: str) -> None:
    # An import inside a function would escape the closure above.
    for path in imported(stage):
        late = [line for line in (ROOT / path).read_text().splitlines() if line.startswith((" ", "\t"))]
        assert not [line for line in late if line.lstrip().startswith(("from pipeline", "import pipeline"))]


@pytest.fixture(scope="module")
def table_project(
    _reproduced: Project, mlflow_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Project]:
    """One ready clone for the whole table: each row starts from the committed state again."""
    folder = tmp_path_factory.mktemp("table") / "project"
    _reproduced.run("cp", "-a", str(_reproduced.root), str(folder))
    project = Project(folder)
    project.env["MLFLOW_TRACKING_URI"] = mlflow_server

    def back() -> Project:
        project.git("checkout", "-q", "--", ".")
        project.dvc("checkout", "-q", "--force")
        return project

    return back


def ran_or_due(project: Project) -> set[str]:
    """Run the first four stages, and return those that ran, and evaluation if DVC would run it next.

    Evaluation takes as long as the others together, and nothing depends on it.
    """
    return set(project.repro("training")) | set(json.loads(project.dvc("status", "--json")))


def test_a_changed_file_touches_the_stages_that_depend_on_it(table_project: Callable[[], Project]) -> None:
    project = table_project()
    for path, stages in SKIP_TABLE.items():
        before = (project.root / path).read_bytes()
        (project.root / path).write_bytes(before + b"\n# changed\n")

        touched = json.loads(project.dvc("status", "--json"))

        of_code = {stage for stage, why in touched.items() if path in str(why)}
        assert of_code == stages, path
        (project.root / path).write_bytes(before)


@pytest.mark.parametrize("stage", STAGES)
def test_a_changed_stage_runs_and_nothing_after_it(table_project: Callable[[], Project], stage: str) -> None:
    project = table_project()
    with (project.root / f"src/pipeline/{stage}.py").open("a") as file:
        file.write("\n# changed\n")

    assert project.repro() == [stage]


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_changed_parameter_runs_the_stages_that_read_it(
    table_project: Callable[[], Project], name: str
) -> None:
    project = table_project()
    value, stages = PARAMETERS[name]
    project.set(**{name.replace(".", "__"): value})

    assert ran_or_due(project) == stages


def test_new_data_runs_everything_once_ingestion_is_forced(table_project: Callable[[], Project]) -> None:
    project = table_project()
    # Where the data is the same, nothing follows.
    assert project.repro("--force", "ingestion") == ["ingestion"]
    assert project.repro() == []

    project.run("pipeline", "arrivals", "100")

    # DVC cannot see into MongoDB ...
    assert project.repro() == []
    # ... until it is told to look.
    assert project.repro("--force", "ingestion") == ["ingestion"]
    assert ran_or_due(project) == set(STAGES[1:])
