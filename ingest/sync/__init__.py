"""A corpus that follows a folder.

- folder.py  `scan_folder`: what a folder holds, with hashes
- plan.py    `compare` a scan with the corpus: an `Order` in, a `Plan` out; changes nothing
- sync.py    `Sync`: plans and carries out
- lock.py    one sync of a corpus at a time

Which folder a document was seen in is kept by rag/store/synced.py.
"""
