"""Messages, with what is attached to them.

letter.py     a message of any format, and how it is written with its attachments
body.py       which version of a body says what the sender wrote
message.py    an e-mail (eml)
mailbox.py    many e-mails in a file (mbox)
outlook.py    a message that Outlook saved (msg)
rtf_body.py   unpack Outlook's rich text
"""
