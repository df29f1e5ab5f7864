"""Benchmarks of answers: what is answered, cited, refused and found to differ."""
