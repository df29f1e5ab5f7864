"""Web pages.

html.py         HTML to light markdown; `convert` for parts of other formats
tree.py         parse HTML
page.py         walk through a page and write its blocks
blocks.py       lines to headings, paragraphs, items and quotations
visibility.py   what a person gets to see
tables.py       tables of data, and tables that only place things
embedded.py     the text of code, drawings and lists of choices
inline.py       raised and lowered text, readings, formulas, targets of links
numbering.py    the numbers of a list
"""
