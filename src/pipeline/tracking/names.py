"""The names of parameters and metrics in MLflow, which takes neither all characters nor any length."""

import hashlib
import re
from collections.abc import Iterable

# MLflow refuses longer ones, and reads a name with slashes as a path.
LONGEST = 250
REFUSED = r"[^\w\-. ]"


def mlflow_names(keys: Iterable[str]) -> dict[str, str]:
    """Return the name of each key: itself, with an underscore for what MLflow refuses.

    One that is too long, or would be that of another key, ends with a hash of the key.
    """
    names: dict[str, str] = {}
    for key in keys:
        name = re.sub(REFUSED, "_", key)
        if len(name) > LONGEST or name in names.values():
            ending = f"-{hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()[:8]}"
            name = name[: LONGEST - len(ending)] + ending
        names[key] = name
    return names
