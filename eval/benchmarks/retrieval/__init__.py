"""Benchmarks of retrieval: quality, comparison with other systems, and scale.

chroma, nfcorpus    public evaluations, by stage
siblings            which document of one form is meant
peers               llama-index, Haystack and txtai on the same work
lexical             the lexical index against tantivy, bm25s and rank_bm25
reranking           a cross-encoder by itself
"""
