"""A version of the model: what MLflow keeps of it, and what its Git tag holds."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

DECISION = "promotion"
COMPARISON = "comparison"
ROLLBACK = "rollback"
DATA_FROM = "data.from"
# Whether the request for a version excludes its promotion (NOT_ASKED) or asks for it (ASKED). It is part of
# the publication: an interrupted one is finished as requested.
PROMOTE, NOT_ASKED, ASKED = "promote", "no", "yes"
PROMOTED = "promoted"
TAG = "git.tag"
# On a version whose commit and tag are in one clone alone.
LOCAL = "git.local"
# What publishing says before it tags a version, and pushes one of the team; the commit follows.
PUSHING = "commit"
# On the run of a version, with the Git tag that it was registered for. It stays when the version is deleted.
REGISTERED = "registered."


@dataclass(frozen=True)
class Version:
    """A registered version of the model; `created` is in milliseconds since 1970.

    `scores`, `experiment` (its id), `algorithm` and `test_rows` are those of its run in MLflow, where the
    registry was asked for them. `standing` is the reason why the champion is the champion, `pinned` whether a
    person chose it; both are empty for other versions.
    """

    number: int
    run_id: str
    tags: dict[str, str]
    champion: bool
    created: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    experiment: str = ""
    algorithm: str = ""
    test_rows: int | None = None
    standing: str = ""
    pinned: bool = False

    @property
    def tag(self) -> str:
        """The Git tag on the commit that holds its lock."""
        return tag_of(self.number)

    @property
    def local(self) -> bool:
        """Whether its commit and its tag are in one clone alone."""
        return LOCAL in self.tags

    @property
    def decision(self) -> dict[str, Any] | None:
        """What was decided when it was compared with the champion; None if that has yet to be done."""
        return self.kept(DECISION)

    @property
    def data(self) -> str:
        """The hash of its raw data; empty where it is not known."""
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
        """What `Registry.record` kept under this name, if anything."""
        return json.loads(self.tags[name]) if name in self.tags else None

    def summary(self) -> dict[str, Any]:
        """The version as `pipeline models --json` lists it."""
        decision = self.decision
        return {
            "version": self.number,
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
    """What the annotated tag of a version holds: all that registering it needs, so that anyone can."""

    number: int
    run_id: str
    tags: dict[str, str]

    def message(self) -> str:
        """The text of the annotated tag."""
        return f"Model version {self.number}\n\n{json.dumps(asdict(self), indent=2, sort_keys=True)}\n"

    @classmethod
    def read(cls, message: str) -> "Publication":
        """Read the text of an annotated tag.

        Raises:
            ValueError: it is not one that `message` wrote.
        """
        return cls(**json.loads(message[message.index("{") :]))


def tag_of(number: int) -> str:
    """Return the name of a version's Git tag."""
    return f"model-v{number}"


def number_of(tag: str) -> int:
    """Return the number of the version that a Git tag names."""
    return int(tag.removeprefix("model-v"))
