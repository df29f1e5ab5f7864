"""Acknowledged uploads, ingested in the background.

jobs   `Jobs`: works on them, across restarts; the queue is rag/store/jobs.py
"""
