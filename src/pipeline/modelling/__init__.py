"""The models, their inputs, and their scores."""
