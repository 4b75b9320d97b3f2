"""The retraining service: an HTTP API and a page for the transaction that `pipeline retrain` runs too."""
