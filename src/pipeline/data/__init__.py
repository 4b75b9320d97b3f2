"""Artifacts: their paths, atomic writes, Parquet parts, ids, and the executor for work over parts."""
