"""The models, what goes into them, and how good they are."""
