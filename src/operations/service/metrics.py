"""Prometheus metrics, computed from the job history at each request."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from operations.service.job_store import ACTIVE, Job
from operations.service.version_cache import version_cache
from operations.versions.drift import Drift
from operations.versions.version import DRIFT, Version

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

OUTCOMES = ("succeeded", "unchanged", "failed", "interrupted")


class History(Collector):
    """Collects metrics of the jobs, of the champion's data, and of the drift of the newest data from it."""

    def __init__(self, jobs: list[Job]) -> None:
        self._jobs = jobs

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        ended = Counter[str](job.state for job in self._jobs)
        outcomes = CounterMetricFamily("pipeline_jobs", "Jobs by outcome", labels=["outcome"])
        for outcome in OUTCOMES:
            outcomes.add_metric([outcome], ended[outcome])
        yield outcomes
        active = sum(job.state in ACTIVE for job in self._jobs)
        yield GaugeMetricFamily("pipeline_jobs_active", "Jobs that are queued or running", active)
        spent = SummaryMetricFamily("pipeline_stage_seconds", "Duration of each stage", labels=["stage"])
        for stage in sorted({stage for job in self._jobs for stage in job.seconds}):
            times = [job.seconds[stage] for job in self._jobs if stage in job.seconds]
            spent.add_metric([stage], len(times), sum(times))
        yield spent
        rows = CounterMetricFamily("pipeline_rows", "Documents by what became of them", labels=["outcome"])
        rows.add_metric(["read"], sum(job.rows_read or 0 for job in self._jobs))
        rows.add_metric(["rejected"], sum(job.rows_rejected or 0 for job in self._jobs))
        yield rows
        known = version_cache.get()
        if (current := known.champion) is not None:
            age = (datetime.now(UTC) - known.data_since(current)).total_seconds()
            yield GaugeMetricFamily("pipeline_champion_data_age_seconds", "Age of the champion's data", age)
            yield GaugeMetricFamily("pipeline_champion_version", "Version of the champion", current.number)
        if (drift := newest_drift(known.versions)) is not None:
            yield from drift_metrics(drift)


def newest_drift(versions: Sequence[Version]) -> Drift | None:
    """Return the drift that was recorded last, or None; `versions` begin with the oldest."""
    for version in reversed(versions):
        if DRIFT in version.tags:
            with suppress(ValueError):
                return Drift.model_validate_json(version.tags[DRIFT])
    return None


def drift_metrics(drift: Drift) -> Iterator[Metric]:
    """Yield the metrics of a drift. Without a comparison there is no PSI: a 0 would mean no drift."""
    yield GaugeMetricFamily(
        "pipeline_drift_found",
        "Drifts found in the newest data against the champion's",
        len(drift.found),
    )
    index = GaugeMetricFamily(
        "pipeline_drift_psi", "Population stability index against the champion's data", labels=["subject"]
    )
    for subject, value in drift.psi.items():
        index.add_metric([subject], value)
    yield index
    if drift.classifier_auc is not None:
        yield GaugeMetricFamily(
            "pipeline_drift_classifier_auc",
            "ROC AUC of a classifier of new against old rows",
            drift.classifier_auc,
        )
