"""Read Word documents: what stands on the page, in its place.

document.py     the whole: running heads, body, notes, metadata
body.py         blocks: paragraphs, lists, headings, tables, text boxes, comments
paragraph.py    what stands in a paragraph: runs, fields, links, pictures, marks of notes
fields.py       fields that run over several runs, and form fields
graphic.py      drawings: text boxes, pictures, charts, SmartArt, embedded objects
table.py        a table's cells with their spans
styles.py       headings, captions, lists and hidden text by style
numbering.py    the numbers that Word generates: 1.2, (a), IV.
part.py         what readers of a part share
symbol.py       signs of the fonts Symbol and Wingdings
"""
