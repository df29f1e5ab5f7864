"""Text without marks, and text of rows and records.

text.py        plain text and markdown
delimited.py   csv and tsv
records.py     JSON and JSON Lines
"""
