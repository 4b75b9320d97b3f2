"""The page at `/`."""

from pipeline.service.jobs import Jobs


def render(jobs: Jobs) -> str:
    """Return the page as HTML."""
    return f"<!doctype html><title>Churn pipeline</title><p>{len(jobs.newest(1))}"
