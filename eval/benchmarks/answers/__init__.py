"""Benchmarks of answers: answering, citing, refusing and finding conflicts."""
