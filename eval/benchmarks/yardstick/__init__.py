"""Are the answers of use to a person? Measured on questions that people asked.

natural.py      search questions over encyclopaedia passages; passages away; near-misses
lookups.py      rows and cells of tables as documents
grounded.py     long answers: what is quoted beside the grounding that a person marked
quarters.py     questions over quarterly reports, judged by reading
own.py          100 questions of a new user over documents that we did not write, judged by reading
languages.py    facts in eight languages
certainty.py    is confidence what it says, on each of these sets

outcomes.py     asks, and says what became of each question
judgements.py   answers that a person judged; rejudge.py scores results again when there are more judgements
nearmiss.py, kinds.py    questions that almost have an answer
"""
