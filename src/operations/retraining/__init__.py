"""A retrain as a transaction: one at a time, in a throw-away worktree, whole or not at all."""
