"""The churn pipeline: five stages wired by dvc.yaml, and the `pipeline` command."""

import sys
from importlib.util import find_spec

if find_spec("pymongoarrow") is None:
    sys.exit(
        f"pipeline: {sys.executable} lacks the project's packages: "
        "run 'make setup', then '. .venv/bin/activate'"
    )
