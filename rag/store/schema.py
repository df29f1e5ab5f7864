"""The catalogue's tables, which version of them a file holds, and how an older version becomes this one.

The file's `application_id` marks a released schema: no version before the first release had one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from rag.errors import StorageError

APPLICATION_ID = int.from_bytes(b"ibid")
# The first of them brings schema 1 to 2, the next 2 to 3. Each change of SCHEMA adds one that does the same.
UPGRADES: Sequence[str] = ()
SCHEMA = """
CREATE TABLE identity AS  -- one row, drawn at random: it tells the index snapshots of other catalogues from its own
    SELECT lower(hex(randomblob(16))) AS id;
CREATE TABLE corpora (
    name TEXT PRIMARY KEY, created REAL NOT NULL) STRICT;
CREATE TABLE generations (  -- model: as it was named in the settings, "" for whichever they name
    id INTEGER PRIMARY KEY AUTOINCREMENT, corpus TEXT NOT NULL REFERENCES corpora(name) ON DELETE CASCADE,
    embedder TEXT NOT NULL, model TEXT NOT NULL, chunker TEXT NOT NULL, chunk_tokens INTEGER NOT NULL,
    chunker_version INTEGER NOT NULL, created REAL NOT NULL,
    served REAL,  -- when it began to, the last time
    serves INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX one_generation_serves ON generations (corpus) WHERE serves;
CREATE TABLE documents (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    corpus TEXT NOT NULL REFERENCES corpora(name), name TEXT NOT NULL, version INTEGER NOT NULL,
    sha256 TEXT NOT NULL, given TEXT NOT NULL, created REAL NOT NULL, characters INTEGER NOT NULL,
    metadata TEXT NOT NULL, pages TEXT NOT NULL, text TEXT NOT NULL,
    reader INTEGER NOT NULL,  -- which version of the readers made the text
    omissions TEXT NOT NULL, boxes BLOB NOT NULL, UNIQUE (corpus, name)) STRICT;
CREATE INDEX documents_by_sha256 ON documents (sha256);
CREATE INDEX documents_of_corpus ON documents (corpus);
CREATE TABLE last_versions (  -- a deleted name never reuses a version
    document_id TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;
CREATE TABLE synced (  -- which folder a document version was last seen in
    document INTEGER PRIMARY KEY REFERENCES documents(row) ON DELETE CASCADE, folder TEXT NOT NULL) STRICT;
CREATE TABLE chunks (
    generation INTEGER NOT NULL REFERENCES generations(id) ON DELETE CASCADE,
    id INTEGER NOT NULL, document INTEGER NOT NULL REFERENCES documents(row) ON DELETE CASCADE,
    version INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER,
    text TEXT NOT NULL, context TEXT NOT NULL, embedding BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX chunks_by_id ON chunks (id, generation);
CREATE INDEX chunks_in_order ON chunks (document, generation, start);
CREATE INDEX chunks_by_embedding ON chunks (embedding);
CREATE INDEX chunks_by_generation ON chunks (generation);
CREATE TABLE embeddings (  -- float16
    key BLOB PRIMARY KEY, vector BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (  -- embeddings, float16, of versions that are not yet whole
    key BLOB PRIMARY KEY, vector BLOB NOT NULL, made INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, generation INTEGER NOT NULL, document INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('add', 'remove'))) STRICT;
CREATE INDEX changes_of_generation ON changes (generation, seq);
CREATE TABLE jobs (  -- done_before: files that were done when the worker began
    id TEXT PRIMARY KEY, corpus TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL,
    finished REAL, error TEXT, started REAL, done_before INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE job_files (
    job TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE, name TEXT NOT NULL, sha256 TEXT NOT NULL,
    metadata TEXT NOT NULL, state TEXT NOT NULL, error TEXT,
    attempts INTEGER NOT NULL DEFAULT 0, omissions TEXT NOT NULL DEFAULT '[]', PRIMARY KEY (job, name)) STRICT;
CREATE INDEX job_files_by_sha256 ON job_files (sha256);
CREATE TABLE sessions (  -- of rows that are never used again: what is forgotten meets no other's
    row INTEGER PRIMARY KEY AUTOINCREMENT, corpus TEXT NOT NULL REFERENCES corpora(name) ON DELETE CASCADE,
    user TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (corpus, user, name)) STRICT;
CREATE TABLE turns (  -- vector: float16, of question and answer; uses: how often it was recalled
    row INTEGER PRIMARY KEY AUTOINCREMENT, session INTEGER NOT NULL REFERENCES sessions(row) ON DELETE CASCADE,
    question TEXT NOT NULL, rewritten TEXT NOT NULL, answer TEXT NOT NULL, asked REAL NOT NULL,
    embedder TEXT NOT NULL, vector BLOB NOT NULL, tier TEXT NOT NULL DEFAULT 'active',
    gist TEXT NOT NULL DEFAULT '', uses INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX turns_in_order ON turns (session, row);
CREATE TABLE facts (  -- a chain is a fact and what it superseded, named by the first
    row INTEGER PRIMARY KEY AUTOINCREMENT, chain INTEGER NOT NULL,
    corpus TEXT NOT NULL REFERENCES corpora(name) ON DELETE CASCADE, user TEXT NOT NULL,
    text TEXT NOT NULL, slot TEXT NOT NULL, turn INTEGER NOT NULL REFERENCES turns(row) ON DELETE CASCADE,
    corrected INTEGER NOT NULL,  -- whether the user put it right outside of the conversation
    stated REAL NOT NULL, superseded REAL, embedder TEXT NOT NULL, vector BLOB NOT NULL) STRICT;
CREATE INDEX facts_of_user ON facts (corpus, user, superseded);
CREATE INDEX facts_of_turn ON facts (turn)
"""


def read_version(database: sqlite3.Connection, what: str, upgrades: Sequence[str] = UPGRADES) -> int:
    """Return the version of a catalogue's schema; 0 for an empty file. Call it in a transaction.

    Args:
        what: names the catalogue in messages, such as "The backup".
        upgrades: what brings older versions up to date.

    Raises:
        StorageError: if a newer Ibid made it, or one that was never released.
    """
    [application] = database.execute("PRAGMA application_id").fetchone()
    [version] = database.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        if not version and not database.execute("SELECT 1 FROM sqlite_schema").fetchone():
            return 0
        raise StorageError(
            f"{what} was made by a version of Ibid that was never released, which this one does not read. Remove it "
            "and ingest the documents again, or carry them over as text: `ibid export` with the version that made it, "
            "then `ibid import` with this one."
        )
    newest = newest_version(upgrades)
    if version > newest:
        raise StorageError(f"{what} has schema {version}, newer than this Ibid's {newest}; upgrade Ibid.")
    return int(version)


def bring_up_to_date(transaction: sqlite3.Connection, version: int, upgrades: Sequence[str]) -> None:
    """Make the tables in an empty file, or bring those of an older version up to date."""
    steps = upgrades[version - 1 :] if version else [SCHEMA]
    for statement in ";\n".join(steps).split(";\n"):
        transaction.execute(statement)
    transaction.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    transaction.execute(f"PRAGMA user_version = {newest_version(upgrades)}")


def newest_version(upgrades: Sequence[str] = UPGRADES) -> int:
    """Return the version of the schema that all upgrades lead to."""
    return 1 + len(upgrades)


SCHEMA_VERSION = newest_version()
