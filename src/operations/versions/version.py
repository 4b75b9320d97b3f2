"""A version of the model, as stored in MLflow and in its Git tag."""

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

# The scores of a version, as its run names them.
SCORES = ("roc_auc", "average_precision", "log_loss", "brier_score")

DECISION = "promotion"
COMPARISON = "comparison"
ROLLBACK = "rollback"
DRIFT = "drift"
# On a version whose model card is written.
CARD = "card"
DATA_FROM = "data.from"
# Whether the request excludes the promotion (NOT_ASKED) or asks for it (ASKED). It is part of the
# publication, so that an interrupted one is finished as requested.
PROMOTE, NOT_ASKED, ASKED = "promote", "no", "yes"
PROMOTED = "promoted"
TAG = "git.tag"
# On a version whose commit and tag are only in one clone.
LOCAL = "git.local"
# The word of the log line before a version is tagged and pushed; the commit follows.
PUSHING = "commit"
# On the run of a version, followed by its Git tag. It stays when the version is deleted.
REGISTERED = "registered."


class Standing(BaseModel):
    """Why a version is the champion. A pinned champion is replaced only by a measurably better version."""

    version: int
    reason: str
    pinned: bool = False


@dataclass(frozen=True)
class Version:
    """A registered version of the model; `created` is in milliseconds since 1970.

    `scores`, `experiment` (its id), `artifacts` (their URI), `algorithm` and `test_rows` come from its run in
    MLflow, and only `Registry.scored` and the lineage read them. `standing` is the reason why the
    champion is the champion, `pinned` whether a person chose it; both are empty for other versions.
    """

    number: int
    run_id: str
    tags: dict[str, str]
    champion: bool
    created: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    experiment: str = ""
    artifacts: str = ""
    algorithm: str = ""
    test_rows: int | None = None
    standing: str = ""
    pinned: bool = False

    @classmethod
    def of(cls, item: Any, standing: Standing | None) -> "Version":
        """Return the version of MLflow's entity `item`; `standing` is that of the champion."""
        number = int(item.version)
        version = cls(number, item.run_id or "", dict(item.tags), False, int(item.creation_timestamp))
        if standing is None or standing.version != number:
            return version
        return replace(version, champion=True, standing=standing.reason, pinned=standing.pinned)

    def with_run(self, run: Any) -> "Version":
        """Return the version with the scores of its run; None, for a run that is gone, changes nothing."""
        if run is None:
            return self
        metrics = run.data.metrics
        return replace(
            self,
            scores={name: metrics[name] for name in SCORES if name in metrics},
            experiment=str(run.info.experiment_id),
            artifacts=str(run.info.artifact_uri),
            algorithm=run.data.params.get("training.algorithm", ""),
            test_rows=int(metrics["rows"]) if "rows" in metrics else None,
        )

    @property
    def tag(self) -> str:
        """The Git tag of its commit."""
        return tag_of(self.number)

    @property
    def local(self) -> bool:
        """Whether its commit and its tag are only in one clone."""
        return LOCAL in self.tags

    @property
    def decision(self) -> dict[str, Any] | None:
        """The decision from the comparison with the champion; None before the comparison."""
        return self.kept(DECISION)

    @property
    def settled(self) -> bool:
        """Whether the decision is recorded and, if it is a promotion, carried out."""
        return bool((decision := self.decision) and (PROMOTED in self.tags or not decision["promoted"]))

    @property
    def data(self) -> str:
        """The hash of its raw data; empty if unknown."""
        return self.tags.get("data.raw.md5", "")

    @property
    def verdict(self) -> str | None:
        """The decision in a word: promoted, not promoted, experiment or no-promote; None if there is none."""
        if self.decision is None:
            return None
        if self.decision["promoted"]:
            return "promoted"
        if self.tags.get(PROMOTE) == NOT_ASKED:
            return "experiment" if DATA_FROM in self.tags else "no-promote"
        return "not promoted"

    def kept(self, name: str) -> dict[str, Any] | None:
        """The content that `Registry.record` stored under this name, or None."""
        return json.loads(self.tags[name]) if name in self.tags else None

    def summary(self) -> dict[str, Any]:
        """The version as `pipeline models --json` lists it."""
        decision = self.decision
        return {
            "version": self.number,
            "created": datetime.fromtimestamp(self.created / 1000, UTC).isoformat(timespec="seconds"),
            "champion": self.champion,
            "pinned": self.pinned,
            "decision": self.verdict,
            "reason": self.standing or (decision and decision["reason"]),
            "local": self.local,
            "commit": self.tags.get("git.commit"),
            "tag": self.tag,
            "data": self.tags.get("data.raw.md5"),
            "model": self.tags.get("model.md5"),
            "run": self.run_id,
            "scores": self.scores,
        }


@dataclass(frozen=True)
class Publication:
    """The content of a version's annotated tag: all that any clone needs to register the version."""

    number: int
    run_id: str
    tags: dict[str, str]

    def message(self) -> str:
        """The text of the annotated tag."""
        return f"Model version {self.number}\n\n{json.dumps(asdict(self), indent=2, sort_keys=True)}\n"

    @classmethod
    def read(cls, message: str) -> "Publication":
        """Return the publication in the text of an annotated tag.

        Raises:
            ValueError: `message` did not write the text.
        """
        return cls(**json.loads(message[message.index("{") :]))


def tag_of(number: int) -> str:
    """Return the name of a version's Git tag."""
    return f"model-v{number}"


def number_of(tag: str) -> int:
    """Return the number of the version that a Git tag names."""
    return int(tag.removeprefix("model-v"))
