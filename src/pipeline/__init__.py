"""The churn pipeline: five stages wired by dvc.yaml, and the `pipeline` command."""

import gc
import sys
from importlib.util import find_spec

if find_spec("pymongoarrow") is None:
    sys.exit(
        f"pipeline: {sys.executable} lacks the project's packages: "
        "run 'make setup', then '. .venv/bin/activate'"
    )

# Importing scikit-learn and MLflow makes hundreds of thousands of objects that stay: looking through them for
# garbage again and again is a tenth of the time that a stage takes to start.
gc.set_threshold(100_000, 20, 100)
