"""Messages, with what is attached to them.

message.py   an e-mail (eml)
"""
