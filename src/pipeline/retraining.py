"""What a retrain does inside its throw-away worktree: run what the request asks for, and publish it."""

import json
import signal
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from pipeline.dvc_process import dvc, repro, stale
from pipeline.errors import PipelineError
from pipeline.git import changed
from pipeline.lineage import LOCK, locked_tags
from pipeline.old_data import lock_data_of, override
from pipeline.outputs import METRICS, VALIDATION_REPORT
from pipeline.processes import die_with_parent
from pipeline.publishing import Published, publish
from pipeline.reachability import patiently
from pipeline.recovery import finish
from pipeline.registry import SCORES, Registry
from pipeline.restoring import commit_of

SOURCE = "ingestion"
# How long a server that went away during the run is waited for, in seconds.
PATIENCE = 60.0


class Request(BaseModel):
    """What to retrain on, and what to run; or with `finish` the tag whose publication to finish."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    branch: str
    keep_data: bool = False
    read_source: bool = False
    everything: bool = False
    data_from: int | None = None
    overrides: tuple[str, ...] = ()
    finish: str | None = None

    @property
    def reads_source(self) -> bool:
        """Whether ingestion may run."""
        return self.read_source or not (self.keep_data or self.data_from is not None)


class Outcome(BaseModel):
    """How a retrain ended, if it did not fail."""

    state: Literal["succeeded", "unchanged"]
    message: str
    version: int | None = None
    promoted: bool | None = None
    commit: str | None = None
    metrics: dict[str, float] = {}
    rows_read: int | None = None
    rows_rejected: int | None = None


def retrain(request: Request) -> Outcome:
    """Run the stages that the request touches, in the current folder, and publish what came of it.

    Raises:
        PipelineError: data cannot be fetched; ingestion would run and is not allowed to; a stage fails; or
            see `pipeline.publishing.publish`.
    """
    if request.finish is not None:
        number = finish(request.finish, request.branch)
        return Outcome(state="unchanged", message=f"version {number} is finished", version=number)
    if request.data_from is not None:
        return on_data_of(request.data_from, request)
    if request.keep_data:
        on_kept_data(request)
    else:
        on_new_data(request)
        if LOCK.name not in changed() and not known():
            return outcome(
                "unchanged", "nothing changed; no version holds this model yet: 'pipeline publish'"
            )
    published: list[Published] = []
    patiently(lambda: published.append(publish(request.branch)), PATIENCE, request.reads_source)
    return told(published[-1])


def on_kept_data(request: Request) -> None:
    """Situation A: fetch the data that the lock names, and run the stages that the change touches.

    Raises:
        PipelineError: ingestion would run, and the request does not allow it.
    """
    patiently(lambda: dvc("pull"), PATIENCE, request.reads_source)
    if SOURCE in stale() and not request.read_source:
        raise PipelineError(
            "ingestion would read the source again, since its code, its parameters or the schema changed: "
            "allow it with --read-source, or undo that change"
        )
    if request.everything:
        patiently(lambda: repro("--force", "--downstream", "validation"), PATIENCE, request.reads_source)
    patiently(repro, PATIENCE, request.reads_source)


def on_new_data(request: Request) -> None:
    """Situation B: read the source whether or not anything seems changed, and run what really did."""
    # What is in the cache need not be made again; a first run has nothing there.
    dvc("checkout", "--quiet", "--allow-missing")
    words = ("--force",) if request.everything else ("--force", "--single-item", SOURCE)
    patiently(lambda: repro(*words), PATIENCE, request.reads_source)
    patiently(repro, PATIENCE, request.reads_source)


def on_data_of(number: int, request: Request) -> Outcome:
    """Train with today's code and changed parameters on the exact data of an older version.

    The new version's commit is held by its tag alone: the branch keeps its data and its parameters.
    """
    source = Registry().version(number)
    commit = commit_of(source)
    override(request.overrides)
    stages = lock_data_of(commit)
    patiently(lambda: dvc("pull", *stages), PATIENCE, False)
    # The raw data stays, whatever ingestion's code and parameters have become since.
    dvc("commit", "--quiet", "--force", SOURCE)
    patiently(repro, PATIENCE, False)
    published: list[Published] = []
    patiently(lambda: published.append(publish(None, source)), PATIENCE, False)
    return told(published[-1])


def known() -> bool:
    """Whether a version holds the model that the lock here names."""
    model = locked_tags().get("model.md5")
    return any(version.tags.get("model.md5") == model for version in Registry().versions())


def told(published: Published) -> Outcome:
    """Say what was published."""
    state = "is published" if published.new else "holds this model already"
    if published.new:
        verdict = "champion" if published.champion else "not promoted"
        verdict += f": {published.decision.reason}"
    else:
        verdict = "it is champion" if published.champion else "it is not champion"
    said = f"version {published.version} {state}; {verdict}"
    if published.comparison:
        said += f"; beside the version that its data is from: {published.comparison.reason}"
    found = outcome("succeeded" if published.new else "unchanged", said)
    return found.model_copy(
        update={
            "version": published.version,
            "promoted": published.champion,
            "commit": published.commit,
        }
    )


def outcome(state: Literal["succeeded", "unchanged"], message: str) -> Outcome:
    """Describe the end of a run, with the scores and the counts of rows that lie here."""
    scores: dict[str, Any] = json.loads(METRICS.read_text(encoding="utf-8"))
    rows: dict[str, Any] = json.loads(VALIDATION_REPORT.read_text(encoding="utf-8"))
    return Outcome(
        state=state,
        message=message,
        metrics={name: scores[name] for name in SCORES if name in scores},
        rows_read=rows["read"],
        rows_rejected=rows["read"] - rows["accepted"],
    )


class Failure(BaseModel):
    """Why a retrain failed."""

    error: str
    exit_code: int


def main() -> None:
    """Take the request and a file from the arguments, and write to the file how it ended.

    The third argument is the parent's process id: killed, it takes this process with it.
    """
    die_with_parent(signal.SIGKILL, int(sys.argv[3]))
    end: Outcome | Failure
    try:
        end = retrain(Request.model_validate_json(sys.argv[1]))
    except PipelineError as error:
        end = Failure(error=str(error), exit_code=error.exit_code)
    Path(sys.argv[2]).write_text(end.model_dump_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
