"""Make a follow-up question stand alone: by rules that propose, and a small model that chooses.

- mentions.py   what was named in the conversation, and how
- edits.py      the edits that would complete a question: a pronoun replaced, words exchanged, words added
- features.py   what the model sees of an edit
- scorer.py     the model, and the choice: leave the question alone unless an edit clearly wins

The stage is rag/rewrite.py; `python -m training.rewrites` fits the model.
"""
