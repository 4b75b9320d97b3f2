"""What MLflow is told of a run, and what made it."""
