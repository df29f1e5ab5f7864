"""Tables on pages.

ruled.py     those whose cells are drawn
aligned.py   those whose parts stand below each other in columns
header.py    what of an aligned table names its columns, and which lines are one row
parts.py     the parts of a row
spans.py     which columns a name of several stands over
"""
