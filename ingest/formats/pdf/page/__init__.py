"""What stands on one page, and where.

words.py      characters to words, with their boxes
direction.py  text from right to left, in the order of reading
lines.py      words to lines and rows
grids.py      `PageTable`: the cells of a table as they stand
drawings.py   rules, shaded areas, curves and images
figures.py    labels within figures
margins.py    heads and feet, found by comparing pages
"""
