"""Benchmarks of retrieval: quality, comparison with other systems, and scale."""
