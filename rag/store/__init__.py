"""The one truth: a SQLite database, the originals beside it, and their backups. All SQL stands here.

`Catalog` (catalog.py) holds the parts, and makes and deletes corpora, which concerns all of them:
- corpora.py      `Corpora`: which there are
- generations.py  `Generations`: how a corpus is cut and embedded, and which way serves; names of index files
- documents.py    `Documents`: listed, read, put in one transaction, renamed, deleted
- chunks.py       `Chunks` of documents, `Embeddings`, and `Changes`, the log that indexes follow
- jobs.py         `JobQueue`: uploads that were acknowledged
- originals.py    `Originals`: uploaded files, named by their sha256
- sessions.py     `Sessions` and their turns, `StatedFacts`
- synced.py       `SyncedFolders`: which folder a document was last seen in

Below them: database.py (one connection for each thread, transactions, errors that say what to do), schema.py (the
tables, versions and upgrades), filters.py (metadata filters as SQL), durable.py (files on disk, locks). Above them:
backup.py (a catalogue as one archive, and back).
"""
