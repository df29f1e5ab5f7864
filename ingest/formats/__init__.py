"""Read files of one format each. A reader is `read(data, name, limits) -> FileText`; `ingest/load.py` picks it.

file_text.py   `FileText`, which every reader returns, and `FileLimits`, which it keeps
signature.py   which format a file has, by suffix and first bytes
archive.py     open the zip inside Office files without trusting it
markdown.py    write the light markdown that every format becomes: headings, lists, tables

text.py        plain text and markdown, and how bytes are decoded
web.py         HTML
pdf.py         PDF, scans included where OCR is installed
word.py        docx
slides.py      pptx
workbook.py    xlsx
delimited.py   csv and tsv
records.py     JSON and JSON Lines
mail.py        eml

A new format is a module here, its suffixes in signature.py and its name in `ingest/load.py`.
"""
