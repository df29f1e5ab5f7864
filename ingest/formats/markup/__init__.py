"""Documents whose structure is marked in their text.

xml_document.py   XML: documents and data
vocabulary.py     elements of DocBook, JATS, TEI, DITA and feeds as elements of HTML
xml_tree.py       parse XML without trusting it
book.py           e-books (epub)
rst.py            reStructuredText
asciidoc.py       AsciiDoc
latex.py          LaTeX; latex_names.py lists its commands
"""
