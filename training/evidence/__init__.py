"""Train the evidence model: `python -m training.evidence.mined`, `make train JOB=evidence`, `JOB=evidence.export`.

`cases.py` says what a case is, `sources.py` reads cases from the public sets, `tables.py` from public tables,
`records.py` makes documents of one form about different subjects, `mined.py` finds what a search returns for questions,
`vary.py` adds passages that do not answer and asks otherwise, `windows.py` encodes, `losses.py` says what is to be
learnt, `network.py` by what, `__main__.py` trains, and `export.py` makes the pack's file.
"""
