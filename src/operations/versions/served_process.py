"""Answers requests with a logged model as `mlflow models serve` does, without this project's packages.

    python -I served_process.py < work.json

The input is JSON: the path of the `model`, and the `requests` by their names. The last line of the output is
JSON too: the predictions for each request by its name, or {"error": text}.
"""

import gc
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any


class _WithoutProject:
    """Refuses to import the project's packages: a server does not have them."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name.partition(".")[0] in ("pipeline", "operations"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, _WithoutProject())
# The garbage collector would examine the many objects of the libraries repeatedly.
gc.disable()

# A model imports scikit-learn when it is loaded. Here, this process does so before the model is there.
import sklearn.pipeline  # noqa: E402, F401
from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.pyfunc import load_model  # noqa: E402
from mlflow.pyfunc.scoring_server import invocations  # noqa: E402


def answers(model: str, requests: dict[str, str]) -> dict[str, Any]:
    """Return the predictions for each request, or the first error."""
    # For a warning that is not printed, MLflow would read the files of all installed packages.
    loaded, error = _tried(partial(load_model, model, suppress_warnings=True))
    if error:
        return {"error": f"cannot be loaded: {error}"}
    schema, found = loaded.metadata.get_input_schema(), {}
    for name, body in requests.items():
        answer, error = _tried(partial(invocations, body, "application/json", loaded, schema))
        if error or answer.status != 200:
            return {"error": f"fails on {name}: {error or answer.response}"}
        found[name] = json.loads(answer.response)["predictions"]
    return found


def _tried(action: Callable[[], Any]) -> tuple[Any, str]:
    """Return the result and an empty text, or None and the cause of the error in one line."""
    try:
        return action(), ""
    except Exception as error:  # noqa: BLE001 - a model can raise anything
        # MLflow raises its own error in place of the model's.
        cause = error.__context__ if isinstance(error, MlflowException) and error.__context__ else error
        return None, " ".join(f"{type(cause).__name__}: {cause}".split())[:300]


if __name__ == "__main__":
    if work := sys.stdin.read():
        print(json.dumps(answers(**json.loads(work))))
