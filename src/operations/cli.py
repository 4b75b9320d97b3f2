"""The `pipeline` command: it runs the code of the checkout that the current folder lies in."""

import os
import sys
from pathlib import Path

from operations.commands import app
from operations.console import open_streams
from operations.git_and_dvc.layout import check_layout
from pipeline.config.errors import ConfigurationError, run_main

NAME = "pipeline"


def workspace() -> Path:
    """Find the root of the checkout that the current folder lies in.

    Raises:
        ConfigurationError: it lies in none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file() and (folder / "params.yaml").is_file():
            return folder
    raise ConfigurationError(f"{here} is not in a checkout of the pipeline: change to its root")


def main() -> None:
    """Run the command in the root of the checkout around the current folder, with that checkout's code.

    The environment's command is the one of the checkout that installed it; called in another clone or in
    a worktree, it hands over to the code there.
    """
    open_streams()
    run_main(NAME, command)


def command() -> None:
    """Hand over to the code of the checkout, or run the command that the arguments name."""
    try:
        root = workspace()
    except ConfigurationError:
        if "--help" not in sys.argv:
            raise
        app(prog_name=NAME)
    os.chdir(root)
    source = root / "src"
    if (source / "operations").is_dir() and not Path(__file__).resolve().is_relative_to(source.resolve()):
        os.environ["PYTHONPATH"] = str(source)
        os.execv(sys.executable, [sys.executable, "-m", "operations.cli", *sys.argv[1:]])  # noqa: S606 - our own words
    if len(sys.argv) > 1 and "--help" not in sys.argv:
        check_layout()
    app(prog_name=NAME)


if __name__ == "__main__":
    main()
