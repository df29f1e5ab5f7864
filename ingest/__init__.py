"""Offline: from files to the catalogue.

build.py          from sources to visible document versions: load, chunk, embed, commit
source.py         files and folders as sources, and what became of each
load.py           a file's bytes to text; formats/ has a reader for each format
parse.py          `load` in a child process (parse_process.py), within bounds on memory and time
chunking/         a text to chunks
languages.py      the embedding model that suits a new corpus
omissions.py      what readers did not take, in words
pieces.py         chunks and their embeddings, for one generation
rebuild.py        another generation of a corpus, and the swap
portable.py       documents as lines of JSON
texts.py          documents from what other libraries' readers return
names.py          which names a document may have
sync/             a corpus follows a folder
uploads/          jobs that work uploads off in the background
"""
