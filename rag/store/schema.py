"""The catalogue's tables, and what each version of the schema added to the one before it."""

SCHEMA_VERSION = 5
SCHEMA = """
CREATE TABLE corpora (
    name TEXT PRIMARY KEY, embedder TEXT NOT NULL, created REAL NOT NULL) STRICT;
CREATE TABLE documents (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    corpus TEXT NOT NULL REFERENCES corpora(name), name TEXT NOT NULL, version INTEGER NOT NULL,
    sha256 TEXT NOT NULL, build TEXT NOT NULL, created REAL NOT NULL, characters INTEGER NOT NULL,
    metadata TEXT NOT NULL, pages TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (corpus, name)) STRICT;
CREATE INDEX documents_by_sha256 ON documents (sha256);
CREATE TABLE last_versions (  -- a deleted name never reuses a version
    document_id TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents(row) ON DELETE CASCADE,
    version INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER,
    text TEXT NOT NULL, context TEXT NOT NULL, embedding BLOB NOT NULL) STRICT;
CREATE INDEX chunks_in_order ON chunks (document, start);
CREATE INDEX chunks_by_embedding ON chunks (embedding);
CREATE TABLE embeddings (  -- float16
    key BLOB PRIMARY KEY, vector BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, corpus TEXT NOT NULL, document INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('add', 'remove'))) STRICT;
CREATE INDEX changes_of_corpus ON changes (corpus, seq);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, corpus TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL,
    finished REAL, error TEXT) STRICT;
CREATE TABLE job_files (
    job TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE, name TEXT NOT NULL, sha256 TEXT NOT NULL,
    metadata TEXT NOT NULL, state TEXT NOT NULL, error TEXT,
    attempts INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (job, name)) STRICT;
CREATE INDEX job_files_by_sha256 ON job_files (sha256);
"""
# what each schema added to the one before it; a folder of an older one is brought up to date when it is opened
UPGRADES = {
    2: """
CREATE TABLE sessions (
    row INTEGER PRIMARY KEY, corpus TEXT NOT NULL REFERENCES corpora(name) ON DELETE CASCADE,
    user TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (corpus, user, name)) STRICT;
CREATE TABLE turns (  -- the vector: float16, of question and answer
    row INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions(row) ON DELETE CASCADE,
    question TEXT NOT NULL, rewritten TEXT NOT NULL, answer TEXT NOT NULL, asked REAL NOT NULL,
    embedder TEXT NOT NULL, vector BLOB NOT NULL) STRICT;
CREATE INDEX turns_in_order ON turns (session, row)
""",
    3: """
CREATE TABLE kept_sessions (  -- of rows that are never used again: what is forgotten meets no other's
    row INTEGER PRIMARY KEY AUTOINCREMENT, corpus TEXT NOT NULL REFERENCES corpora(name) ON DELETE CASCADE,
    user TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (corpus, user, name)) STRICT;
CREATE TABLE kept_turns (  -- gist: what the session's tier shows, tier: of memory, uses: how often it was recalled
    row INTEGER PRIMARY KEY AUTOINCREMENT, session INTEGER NOT NULL REFERENCES kept_sessions(row) ON DELETE CASCADE,
    question TEXT NOT NULL, rewritten TEXT NOT NULL, answer TEXT NOT NULL, asked REAL NOT NULL,
    embedder TEXT NOT NULL, vector BLOB NOT NULL, tier TEXT NOT NULL DEFAULT 'active',
    gist TEXT NOT NULL DEFAULT '', uses INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO kept_sessions SELECT * FROM sessions;
INSERT INTO kept_turns SELECT *, 'persistent', '', 0 FROM turns;
DROP TABLE turns;
DROP TABLE sessions;
ALTER TABLE kept_sessions RENAME TO sessions;
ALTER TABLE kept_turns RENAME TO turns;
CREATE INDEX turns_in_order ON turns (session, row);
UPDATE turns SET tier = 'active' WHERE row IN (SELECT row FROM (SELECT row, row_number() OVER
    (PARTITION BY session ORDER BY row DESC) AS age FROM turns) WHERE age <= 3);
CREATE TABLE facts (  -- a chain is a fact and what it superseded, named by the first
    row INTEGER PRIMARY KEY AUTOINCREMENT, chain INTEGER NOT NULL,
    corpus TEXT NOT NULL REFERENCES corpora(name) ON DELETE CASCADE, user TEXT NOT NULL,
    text TEXT NOT NULL, slot TEXT NOT NULL, turn INTEGER NOT NULL REFERENCES turns(row) ON DELETE CASCADE,
    corrected INTEGER NOT NULL,  -- whether the user put it right outside of the conversation
    stated REAL NOT NULL, superseded REAL, embedder TEXT NOT NULL, vector BLOB NOT NULL) STRICT;
CREATE INDEX facts_of_user ON facts (corpus, user, superseded);
CREATE INDEX facts_of_turn ON facts (turn)
""",
    4: """
CREATE TABLE checkpoints (  -- embeddings, float16, of versions that are not yet whole
    key BLOB PRIMARY KEY, vector BLOB NOT NULL, made INTEGER NOT NULL) STRICT, WITHOUT ROWID;
ALTER TABLE jobs ADD COLUMN started REAL;
ALTER TABLE jobs ADD COLUMN done_before INTEGER NOT NULL DEFAULT 0;
CREATE TABLE synced (  -- which folder a document version was last seen in, and under which settings
    document INTEGER PRIMARY KEY REFERENCES documents(row) ON DELETE CASCADE,
    folder TEXT NOT NULL, settings TEXT NOT NULL) STRICT
""",
    5: """
CREATE TABLE generations (  -- model: as it was named in the settings, "" for whichever they name
    id INTEGER PRIMARY KEY AUTOINCREMENT, corpus TEXT NOT NULL REFERENCES corpora(name) ON DELETE CASCADE,
    embedder TEXT NOT NULL, model TEXT NOT NULL, chunker TEXT NOT NULL, chunk_tokens INTEGER NOT NULL,
    chunker_version INTEGER NOT NULL, created REAL NOT NULL,
    served REAL,  -- when it began to, the last time
    serves INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX one_generation_serves ON generations (corpus) WHERE serves;
INSERT INTO generations (corpus, embedder, model, chunker, chunk_tokens, chunker_version, created, served, serves)
    SELECT name, embedder, '', 'packed', 254, 1, created, created, 1 FROM corpora;
UPDATE generations SET  -- the newest build of a document: EMBEDDER CHUNKER(chunk_tokens=N...) vM EMBEDDER {...}
    chunker = substr(made, instr(made, ' ') + 1, instr(made, '(') - instr(made, ' ') - 1),
    chunk_tokens = CAST(substr(made, instr(made, 'chunk_tokens=') + 13) AS INTEGER),
    chunker_version = CAST(substr(made, instr(made, ') v') + 3) AS INTEGER)
    FROM (SELECT corpus AS of, build AS made, max(row) FROM documents WHERE build LIKE '% %(%chunk_tokens=%) v% %{%'
        GROUP BY corpus) WHERE of = corpus;
ALTER TABLE corpora DROP COLUMN embedder;
ALTER TABLE documents RENAME COLUMN build TO given;
UPDATE documents SET given = substr(given, instr(given, '{')) WHERE given LIKE '%{%';
ALTER TABLE synced DROP COLUMN settings;
ALTER TABLE chunks RENAME TO old_chunks;
CREATE TABLE chunks (
    generation INTEGER NOT NULL REFERENCES generations(id) ON DELETE CASCADE,
    id INTEGER NOT NULL, document INTEGER NOT NULL REFERENCES documents(row) ON DELETE CASCADE,
    version INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER,
    text TEXT NOT NULL, context TEXT NOT NULL, embedding BLOB NOT NULL) STRICT;
INSERT INTO chunks SELECT g.id, k.id, k.document, k.version, k.start, k."end", k.page, k.text, k.context, k.embedding
    FROM old_chunks k JOIN documents d ON d.row = k.document JOIN generations g ON g.corpus = d.corpus;
DROP TABLE old_chunks;
CREATE UNIQUE INDEX chunks_by_id ON chunks (id, generation);
CREATE INDEX chunks_in_order ON chunks (document, generation, start);
CREATE INDEX chunks_by_embedding ON chunks (embedding);
CREATE INDEX chunks_by_generation ON chunks (generation);
CREATE INDEX documents_of_corpus ON documents (corpus);
ALTER TABLE changes RENAME TO old_changes;
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, generation INTEGER NOT NULL, document INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('add', 'remove'))) STRICT;
INSERT INTO changes SELECT c.seq, g.id, c.document, c.kind FROM old_changes c JOIN generations g ON g.corpus = c.corpus;
DROP TABLE old_changes;
CREATE INDEX changes_of_generation ON changes (generation, seq)
""",
}
# one row, drawn at random: an index snapshot of another catalogue's history is told by it
IDENTITY = "CREATE TABLE IF NOT EXISTS identity AS SELECT lower(hex(randomblob(16))) AS id"
