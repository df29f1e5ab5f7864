"""What is known of a text without a model.

words        terms as BM25 counts them
sentences    where sentences begin and end
protect      what compression must keep: numbers, names, tables, code
injection    words that address a model instead of a reader
"""
