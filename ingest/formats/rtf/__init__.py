"""Read Rich Text Format (RTF), the text format of old word processors and of much mail.

document.py     the file: metadata, running heads, body, notes
reader.py       the state machine: groups, control words, destinations
flow.py         the text of a destination as blocks: paragraphs, list items, tables
destinations.py where a group's text goes
definitions.py  what the head of the file defines: fonts, headings
fields.py       links and page numbers
tokens.py       braces, control words and text
charset.py      which characters the bytes of a font mean
"""
