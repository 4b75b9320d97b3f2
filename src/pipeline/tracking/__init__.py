"""MLflow tracking: the logged run, and its lineage."""
