"""One module per file format; each has `read(data, name, limits) -> Loaded`. `ingest/load.py` picks one."""
