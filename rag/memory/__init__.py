"""What was said before: kept for one user and one corpus, recalled beside an answer, forgotten on request.

- conversation.py  `Conversations`: asks with the session in mind, remembers, recalls, forgets
- tiers.py         which `Exchange`s are at hand, and in what form: active, session, persistent
- recall.py        `TurnIndex`: finds the turns that a question is about
- facts.py         `Facts`: what a user stated, with history
- about.py        answers questions about the conversation itself
- statements.py    which sentences state something, and which of them take another's place

The rows are in rag/store/sessions.py. What answers is handed in: see `conversation.QuestionPath`.
"""
