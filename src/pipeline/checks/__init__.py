"""The checks of validation, and the facts that it reports."""
