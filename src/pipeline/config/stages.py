"""The stages of dvc.yaml, and the start of each stage script in src/."""

import sys
from collections.abc import Callable
from pathlib import Path

from pipeline.config.errors import ConfigurationError, run_main

STAGES = ("ingestion", "validation", "transformation", "training", "evaluation")


def run_stage(main: Callable[[], None]) -> None:
    """Run the `main` of the stage script that Python was started with; errors become one line on stderr.

    Raises:
        SystemExit: see `pipeline.config.errors.run_main`; exit code 2 if the script would run with the
            `pipeline` package of another checkout.
    """
    script = Path(sys.modules["__main__"].__file__ or "").resolve()

    def checked() -> None:
        imported = Path(__file__).resolve().parents[2]
        if imported != script.parent:
            raise ConfigurationError(
                f"the package pipeline is imported from {imported} instead of {script.parent}: unset "
                "PYTHONSAFEPATH, and run 'python src/<stage>.py' without -P and -I"
            )
        main()

    run_main(script.stem, checked)
