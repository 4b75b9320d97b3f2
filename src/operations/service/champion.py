"""The champion as the service shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from operations.service.version_cache import version_cache
from operations.versions.version import Version


@dataclass(frozen=True)
class Champion:
    """The champion; `reason` is why it is the champion."""

    number: int
    commit: str
    run_id: str
    scores: dict[str, float]
    data_since: datetime
    reason: str


def champion() -> Champion | None:
    """Return the champion of MLflow's last answer; None if there is none, or if MLflow never answered."""
    return champion_of(version_cache.get().versions)


def champion_of(versions: Sequence[Version]) -> Champion | None:
    """Return the champion among all versions, or None."""
    current = next((version for version in versions if version.champion), None)
    if current is None:
        return None
    # The data is as old as the first version trained on it.
    data = current.tags.get("data.raw.md5")
    first = min(version.created for version in versions if version.tags.get("data.raw.md5") == data)
    return Champion(
        number=current.number,
        commit=current.tags.get("git.commit", ""),
        run_id=current.run_id,
        scores=current.scores,
        data_since=datetime.fromtimestamp(first / 1000, UTC),
        reason=current.standing,
    )
