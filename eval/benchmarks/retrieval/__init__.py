"""Benchmarks of retrieval: what is found, beside other systems and at scale."""
