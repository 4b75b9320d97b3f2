"""What params.yaml and requirements.lock declare, the errors that explain a mistake, where stores lie."""

import gc
import sys
from importlib.util import find_spec

if find_spec("pymongoarrow") is None:
    # A stage that another Python starts would end in the traceback of an import.
    sys.exit(f"{sys.executable} lacks the project's packages: run 'make setup', then '. .venv/bin/activate'")

# Importing scikit-learn and MLflow makes hundreds of thousands of objects that stay. With Python's thresholds
# the garbage collector examines them again and again: 1.2 of the 5 seconds that evaluation's imports take.
gc.set_threshold(100_000, 20, 100)
