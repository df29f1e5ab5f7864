"""Benchmarks of conversation."""
