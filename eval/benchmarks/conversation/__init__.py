"""Benchmarks of conversations: rewriting, recall and memory."""
