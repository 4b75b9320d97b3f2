"""Creates MLflow's SQLite database as a copy of an empty one, since MLflow takes seconds to create it.

MLflow creates old tables and migrates them in 68 steps, with a commit for each. The result depends only on
its version, so each environment keeps one empty database.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.tracking.mlflow_store import database_file


def template() -> Path:
    """Return the path of the environment's empty database."""
    return Path(sys.prefix) / f"mlflow-{version('mlflow')}.db"


def prepare_store(uri: str) -> None:
    """Create the database of a tracking URI, complete or not at all, if it is SQLite's and does not exist.

    If this fails, for example on a full disk, MLflow creates the database itself, or reports why it cannot.
    """
    file = database_file(uri)
    if file is None or file.exists():
        return
    with suppress(OSError), _beside(file) as partial:
        partial.write_bytes(_empty_database())
        # Unlike a rename, a link does not replace a store that another process has created meanwhile.
        os.link(partial, file)


def _empty_database() -> bytes:
    """Return the content of the template, and create it if it does not exist."""
    if template().exists():
        return template().read_bytes()
    # MLflow's public functions would add an experiment with the path of the store.
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

    with TemporaryDirectory() as folder:
        engine = create_sqlalchemy_engine(f"sqlite:///{folder}/empty.db")
        _initialize_tables(engine)
        engine.dispose()
        content = Path(folder, "empty.db").read_bytes()
    # A user without the right to write the environment has no template.
    with suppress(OSError), _beside(template()) as partial:
        partial.write_bytes(content)
        partial.replace(template())
    return content


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """Yield the path of a temporary file in the folder of another file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}-{os.getpid()}")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


if __name__ == "__main__":
    # For `make setup`.
    _empty_database()
