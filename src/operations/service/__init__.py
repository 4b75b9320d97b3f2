"""The retraining service: an HTTP API and a page around the same transaction as `pipeline retrain`."""
