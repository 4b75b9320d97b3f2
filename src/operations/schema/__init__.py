"""Proposes the schema from the collection's documents, and compares the schema with them."""
