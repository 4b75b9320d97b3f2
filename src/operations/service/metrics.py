"""Prometheus metrics, computed from the job history at each request."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from operations.service.champion import champion
from operations.service.job_store import ACTIVE, Job, Jobs

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OUTCOMES = ("succeeded", "unchanged", "failed", "interrupted")


class History(Collector):
    """Collects metrics of the jobs, and the age of the champion's data."""

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
        if (current := champion()) is not None:
            age = (datetime.now(UTC) - current.data_since).total_seconds()
            yield GaugeMetricFamily("pipeline_champion_data_age_seconds", "Age of the champion's data", age)
            yield GaugeMetricFamily("pipeline_champion_version", "Version of the champion", current.number)


def render(jobs: Jobs) -> bytes:
    """Return the metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(History(jobs.all()))
    return generate_latest(registry)
