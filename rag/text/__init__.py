"""What is known of a text without a model.

words        terms as BM25 counts them
sentences    where sentences begin and end
protect      what compression must keep: numbers, names, tables, code
names        what a document is called
tables       rows of pipe tables, and their columns
questions    whether a question asks for several things or for steps
periods      quarters, years and days, however they are written
numerals     numbers and months in four languages
languages    the language of a text
boxes        positions of words on their pages
injection    words that address a model instead of a reader
"""
