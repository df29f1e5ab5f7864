"""PDFs of ten filings (10-K, 10-Q) and other public PDFs, read.

files.py    where the PDFs are
draw.py     cells drawn at random, with pictures to check their labels by eye; made `eval/filing_cells.jsonl`
tables.py   are those cells right in the extracted grids: value, row and column
joins.py    words broken at lines' ends and sentences cut by pages' ends
speed.py    pages a second, memory, bytes of boxes

anchor.py   what other programs find on a page, in an environment of their own

Five filings lie in `../shared/data/endtoend/sec-10q`; the others, and other public PDFs, in `../pdfs`. What is not
there is left out.
"""
