"""The `pipeline` command, which runs the code of the checkout around the current folder."""

import os
import sys
from pathlib import Path

from operations.console import open_streams
from operations.git_and_dvc.git import check_layout
from pipeline.config.errors import ConfigurationError, run_main

NAME = "pipeline"


def main() -> None:
    """Run the command in the root of the checkout around the current folder, with that checkout's code.

    The installed command belongs to the checkout that installed it. In another clone or worktree, it starts
    the code there.
    """
    open_streams()
    run_main(NAME, command)


def command() -> None:
    """Start the code of the checkout if it is another one, else run the command in the arguments."""
    here, helps = Path.cwd(), "--help" in sys.argv
    for root in (here, *here.parents):
        if (root / "dvc.yaml").is_file() and (root / "params.yaml").is_file():
            os.chdir(root)
            start_code_of(root)
            break
    else:
        if not helps:
            raise ConfigurationError(f"{here} is not in a checkout of the pipeline: change to its root")
    if len(sys.argv) > 1 and not helps:
        check_layout()
    # Imported here, since its half a second would be lost if the code of another checkout starts.
    from operations.commands import app

    app(prog_name=NAME)


def start_code_of(root: Path) -> None:
    """Replace this process by the same command with the code of the checkout `root`, if it has its own."""
    source = root / "src"
    if (source / "operations").is_dir() and not Path(__file__).resolve().is_relative_to(source.resolve()):
        os.environ["PYTHONPATH"] = str(source)
        os.execv(sys.executable, [sys.executable, "-m", "operations.cli", *sys.argv[1:]])  # noqa: S606 - our own words


if __name__ == "__main__":
    main()
