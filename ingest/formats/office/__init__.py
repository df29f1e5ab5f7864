"""Read the files of Microsoft Office (OOXML): a package of XML parts that refer to each other.

package.py      the zip: its parts, their relationships, the properties of the document; names of XML elements
word/           docx
slides/         pptx
workbook/       xlsx

What all three hold:

drawing.py      the text of DrawingML: paragraphs, tables, what a graphic frame holds
chart.py        a chart as a table of its series
diagram.py      the nodes of SmartArt
equation.py     formulas as one line
number_format.py and calendar_format.py   numbers, dates and times as spreadsheets show them
page_number.py  running heads without the numbers of pages
numeral.py      1, ii, C: the numbers of lists
attachment.py   files inside the file, read by their own readers
ole.py          the file inside an OLE object
notice.py       what a reader saw and did not take
"""
