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
numeral.py      1, ii, C: the numbers of lists
attachment.py   files inside the file, read by their own readers
notice.py       what a reader saw and did not take
"""
