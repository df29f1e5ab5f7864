"""Benchmarks of operation: crashes, ingestion, synchronisation, backup and start-up."""
