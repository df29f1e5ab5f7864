"""Read PDFs by where things stand on the page, not by the order in which they are drawn.

reader.py      `read`: a file to text
page/          what stands on one page: words, lines, rules, figures
tables/        tables on pages: ruled ones, and aligned ones
annotations.py, embedded.py    what lies on top of a page, and beside the pages
recognition.py OCR of pages without text
columns.py     the order in which the lines of a page are read
blocks.py      lines to paragraphs and items of lists
pages.py       a page's blocks
flow.py        a document's blocks: headings, paragraphs and tables that go on over pages
hyphens.py     whether a hyphen at a line's end belongs to the word
writing.py     blocks to text, with the place of each word
render.py      a page as a picture, a quote marked
"""
