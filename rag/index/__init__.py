"""The indexes that follow the catalogue: each can be deleted and rebuilt at any time.

follower    both indexes of a generation, caught up with the change log before each use
dense       search by meaning: exact, over FAISS
lexical     search by words: incremental BM25, which owns the formula's constants
postings    the segments that it is made of
scores      scores of several engines on one scale
scope       which documents a question means
snapshot    checksummed files of the arrays
reference   the package `rank_bm25` behind the same interface, for comparison
"""
