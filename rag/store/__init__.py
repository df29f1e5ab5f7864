"""The one truth: a SQLite database, the originals beside it, and their backups."""
