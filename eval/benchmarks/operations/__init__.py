"""Benchmarks of operation.

crash, promises         a server killed while clients use it; renewing rebuilds its corpus meanwhile
ingest_load, ingest_rate    questions during a large load; chunks a second
restore, sync, stop     backup and restore; a nightly sync; stopping within a long text
scale, startup          large corpora; start-up times
server                  the server process that these run
"""
