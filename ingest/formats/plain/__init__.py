"""Text without marks, and text of rows and records.

text.py           plain text and markdown
delimited.py      csv and tsv
broken_quotes.py  rows of CSV files with open quotes
records.py        JSON and JSON Lines
notebook.py       Jupyter notebooks
source_code.py    source code and configuration
subtitles.py      srt and vtt
calendar.py       ics and vcf
"""
