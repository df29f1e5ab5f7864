"""Read OpenDocument files (LibreOffice): texts, spreadsheets and presentations.

document.py     the file: which kind it is, metadata, running heads
content.py      blocks and lines of text, which all three kinds hold: paragraphs, lists, notes, frames
lists.py        the numbers that lists and headings generate
tables.py       the cells of a table in their places
sheets.py       odt's sister ods: a page for each sheet
slides.py       odp: a page for each slide
elements.py     which elements hold what
names.py        the names of elements
"""
