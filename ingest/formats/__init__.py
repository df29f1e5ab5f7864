"""Read files of one format each. A reader is `read(data, name, limits) -> FileText`; `ingest/load.py` picks it.

file_text.py   `FileText`, which every reader returns, and `FileLimits`, which it keeps
signature.py   which format a file has, by suffix and first bytes
archive.py     open the zip inside Office files without trusting it
xml_names.py   names of XML elements as specifications write them
grid.py        a table of any format: captions, header rows, spans
markdown.py    write the light markdown that every format becomes: headings, lists, tables

encoding/      which characters the bytes of a text mean
plain/         text and markdown, csv, JSON, notebooks, source code, subtitles, calendars
web/           HTML
markup/        XML, e-books, reStructuredText, AsciiDoc, LaTeX
mail/          e-mail (eml), mailboxes (mbox), Outlook messages (msg)
inside.py      read a file that lies inside another
office/        docx, pptx and xlsx
opendocument/  odt, ods and odp
rtf/           RTF
pdf/           PDF, by where things stand on the page

A new format is a module here, its suffixes in signature.py and its name in `ingest/load.py`.
"""
