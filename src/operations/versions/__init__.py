"""Versions of the model: published, compared, found, brought back."""
