"""What surrounds the stages: versions, retraining, the service, Git and DVC, and the `pipeline` command."""
