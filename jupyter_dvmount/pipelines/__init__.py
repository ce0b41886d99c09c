"""Data-driven pipelines: what is to run, on which data, and what came of it."""
