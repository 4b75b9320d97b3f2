"""A retrain as a transaction: one at a time, in a throw-away worktree, complete or without effect."""
