"""Uploads that were acknowledged, ingested in the background."""
