"""Whether a retrain can work from here: small checks, asked all at once, by a command and before a run."""
