"""Read Excel workbooks: a page for each sheet, values as they are displayed.

book.py         the workbook: its sheets, shared texts, number formats
sheet.py        a sheet's cells, merged areas, hidden rows, links, running heads
region.py       the tables on a sheet: what belongs together
page.py         a sheet as a page: tables with captions and comments, then what lies over the cells
remark.py       comments on cells, notes and threads
over.py         what lies over the cells: text boxes, charts, pictures, controls
"""
