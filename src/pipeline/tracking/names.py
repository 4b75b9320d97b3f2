"""The names of parameters and metrics in MLflow, which limits their characters and their length."""

import hashlib
import posixpath
import re
from typing import Any

# MLflow refuses longer names, and treats a name with slashes as a path.
LONGEST = 250
TAKEN = r"[\w\-. /:]+"


def flat(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested mappings by one key each, such as `contract.one year.roc_auc`."""
    values: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, dict) and value:
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = value
    return values


def mlflow_name(key: str) -> str:
    """Return the MLflow name of a key: the key itself if MLflow accepts it.

    Otherwise underscores replace the refused characters, and the name ends with a hash of the key. So each
    key has one name, and no two keys share one.
    """
    as_path = posixpath.normpath(key) == key and not key.startswith(("/", "..")) and key != "."
    if len(key) <= LONGEST and re.fullmatch(TAKEN, key) and as_path:
        return key
    ending = f"-{hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()[:8]}"
    return re.sub(r"[^\w\-. ]|^\.", "_", key)[: LONGEST - len(ending)] + ending
