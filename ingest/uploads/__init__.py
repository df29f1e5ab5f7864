"""Uploads that were acknowledged, ingested in the background: `Jobs` in jobs.py. The queue is rag/store/jobs.py."""
