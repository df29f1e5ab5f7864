"""Cut a text into chunks. Every chunker is a function: (text, embedder, chunk_tokens) -> list[ChunkSpan].

chunkers.py         the setting's names and their functions; `make_chunker` is the way in
packed.py           `packed`: whole sentences, as many as fit
semantic.py         `max_min` and `cluster`: sentences that are alike stay together
sentence_window.py  `sentence_window`: single sentences
token_window.py     `token`: windows of tokens, blind to sentences

What they are made of, from the text upwards:
tokens.py           measure and cut a text in the embedder's tokens
blocks.py           find headings, tables, code and prose
units.py            sentences, tables, rows: what stays whole, and the context that it needs
topics.py           a cheap vector for each sentence
join.py             from units to chunks, each verified to fit the embedder
"""
