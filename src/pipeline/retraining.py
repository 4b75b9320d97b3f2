"""Situation A: a changed recipe on the data that the lock names, in a checkout that has none of it yet."""

from pipeline.dvc_process import dvc, repro, stale
from pipeline.errors import PipelineError
from pipeline.publishing import Published, publish

SOURCE = "ingestion"


def retrain_on_kept_data(read_source: bool) -> Published:
    """Fetch the data that the lock names, run the stages that the change touches, and publish.

    Raises:
        PipelineError: the data cannot be fetched; ingestion would run, and `read_source` does not allow it;
            a stage fails; or see `pipeline.publishing.publish`.
    """
    dvc("pull", "--quiet")
    changes = stale()
    if SOURCE in changes and not read_source:
        raise PipelineError(
            "ingestion would read the source again, since its code, its parameters or the schema changed: "
            "allow it with --read-source, or undo that change"
        )
    repro()
    return publish()
