"""Checks that a retrain can succeed: they run in parallel, for `pipeline check` and before a run."""
