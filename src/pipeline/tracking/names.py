"""The names of parameters and metrics in MLflow, which takes neither all characters nor any length."""

import hashlib
import posixpath
import re

# MLflow refuses longer ones, and reads a name with slashes as a path.
LONGEST = 250
TAKEN = r"[\w\-. /:]+"


def mlflow_name(key: str) -> str:
    """Return the name of a key: itself if MLflow takes it.

    Else it has underscores for what MLflow does not take, and ends with a hash of the key: each key has one
    name, whatever others there are, and no two have the same.
    """
    as_path = posixpath.normpath(key) == key and not key.startswith(("/", "..")) and key != "."
    if len(key) <= LONGEST and re.fullmatch(TAKEN, key) and as_path:
        return key
    ending = f"-{hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()[:8]}"
    return re.sub(r"[^\w\-. ]|^\.", "_", key)[: LONGEST - len(ending)] + ending
