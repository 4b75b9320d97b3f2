"""The time of the pipeline beside that of DVC alone, in fresh clones of the committed state.

    python benchmarks/pipeline_speed.py [ROUNDS]

Each round measures, one after the other: DVC with five trivial stages; with five that only import the
libraries of ours; the first run of ours; trivial ones and ours with nothing to do; `pipeline publish`;
`pipeline retrain` without new data. Prints a Markdown table: the medians of wall and processor time, and of
the ratios within the rounds.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.tracking.new_store import prepare_store

from measure import Measured, markdown, measured, median

ROOT = Path(__file__).resolve().parents[1]
STAGE = "  stage{n}:\n    cmd: {command} > out{n}\n    deps: [out{before}]\n    outs: [out{n}]\n"
TRIVIAL = [f"echo {n}" for n in range(1, 6)]
# The libraries of our stages. pyarrow imports pandas when it converts Python's values.
STORE = "import mlflow; mlflow.MlflowClient('sqlite:///mlflow.db')"
IMPORTS = [
    f'python -c "{code}"'
    for code in (
        "import pyarrow.parquet, pymongo, pymongoarrow.api",
        "import pyarrow.parquet, pandas",
        "import pyarrow.parquet, pandas",
        "import pyarrow.parquet, pandas, sklearn.ensemble",
        f"import pyarrow.parquet, pandas, sklearn.ensemble; {STORE}",
    )
]
ROUNDS = 3
# What is measured, and what each is compared with.
FIRST, NOTHING = "dvc repro, five trivial stages", "five trivial stages, nothing to do"
IMPORTING = "dvc repro, five stages that only import"
BASE = {
    FIRST: FIRST,
    IMPORTING: FIRST,
    "make repro, first run": FIRST,
    NOTHING: NOTHING,
    "dvc repro, nothing to do": NOTHING,
    "make repro, nothing to do": NOTHING,
    "pipeline publish, first version": FIRST,
    "pipeline retrain, unchanged": FIRST,
}


def fresh_clone(folder: Path) -> Path:
    """Clone the committed state, to run in the current environment."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    # `make` would install the clone into this environment if the clone's files were newer.
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    (folder / ".git/info/exclude").write_text(".venv\n")  # .gitignore names a folder, not a link
    for name in ("requirements.lock", "pyproject.toml"):
        os.utime(folder / name, (0, 0))
    return folder


def pipeline_of(folder: Path, commands: list[str]) -> Path:
    """Create a pipeline with a stage for each command."""
    folder.mkdir()
    stages = [STAGE.format(n=n, before=n - 1, command=command) for n, command in enumerate(commands, 1)]
    (folder / "dvc.yaml").write_text("stages:\n" + "".join(stages))
    (folder / "out0").write_text("0")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["dvc", "init", "-q"], cwd=folder, check=True)
    return folder


def measured_round(folder: Path) -> dict[str, Measured]:
    """Measure everything once, in new folders."""
    trivial = pipeline_of(folder / "trivial", TRIVIAL)
    importing = pipeline_of(folder / "importing", IMPORTS)
    prepare_store(f"sqlite:///{importing}/mlflow.db")  # as `make setup` does for ours
    ours = fresh_clone(folder / "ours")
    took = {
        FIRST: measured(["dvc", "repro"], trivial),
        IMPORTING: measured(["dvc", "repro"], importing),
        "make repro, first run": measured(["make", "repro"], ours),
        NOTHING: measured(["dvc", "repro"], trivial),
        "dvc repro, nothing to do": measured(["dvc", "repro"], ours),
        "make repro, nothing to do": measured(["make", "repro"], ours),
    }
    # Without a Git remote, versions are local: no network is measured.
    subprocess.run(["git", "remote", "remove", "origin"], cwd=ours, check=True)
    took["pipeline publish, first version"] = measured(["pipeline", "publish"], ours)
    took["pipeline retrain, unchanged"] = measured(["pipeline", "retrain"], ours)
    return took


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    rounds = []
    for _ in range(count):
        with tempfile.TemporaryDirectory() as temporary:
            rounds.append(measured_round(Path(temporary)))
    lines = []
    for name, base in BASE.items():
        wall = median(one[name].wall for one in rounds)
        processor = median(one[name].processor for one in rounds)
        ratio = median(one[name].wall / one[base].wall for one in rounds)
        lines.append([name, f"{wall:.2f} s", f"{processor:.2f} s", f"{ratio:.2f}"])
    print(markdown([f"{count} rounds", "wall", "processor", "wall / trivial"], lines))


if __name__ == "__main__":
    main()
