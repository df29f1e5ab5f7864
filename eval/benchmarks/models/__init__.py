"""Benchmarks of the packaged models: reader, reranker, compressor and judge."""
