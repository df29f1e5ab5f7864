"""PDFs of ten filings (10-K, 10-Q) and other public PDFs, read.

draw.py     cells drawn at random, with pictures to check their labels by eye; made `eval/filing_cells.jsonl`
tables.py   are those cells right in the extracted grids: value, row and column
joins.py    words broken at lines' ends and sentences cut by pages' ends
speed.py    pages a second, memory, bytes of boxes

Five filings lie in `../shared/data/endtoend/sec-10q`. The others, and the other PDFs, are looked for in
`../shared/data/endtoend/pdfs`, or in the folder given with --pdfs.
"""
