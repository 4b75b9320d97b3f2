"""Configuration from params.yaml, the package locks, the project's errors, the place of local stores."""

import gc
import sys
from importlib.util import find_spec

if find_spec("pymongoarrow") is None:
    # Without this message, a stage started by another Python fails with an ImportError.
    sys.exit(f"{sys.executable} lacks the project's packages: run 'make setup', then '. .venv/bin/activate'")

# Importing scikit-learn and MLflow creates hundreds of thousands of objects that stay. With Python's default
# thresholds, the garbage collector examines them repeatedly: 1.2 of the 5 seconds of evaluation's imports.
gc.set_threshold(100_000, 20, 100)
