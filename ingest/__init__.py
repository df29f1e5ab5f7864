"""Offline: from files to the catalogue."""
