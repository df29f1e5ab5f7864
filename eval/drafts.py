"""Draft questions from a corpus, for a person to review: by rules, without a language model.

Each draft asks for something that one sentence states, with that sentence as its evidence and the requested words as
its answer. Drafts share more words with their evidence than people's questions do, so drafts alone flatter retrieval:
reword them, and add questions that nothing answers.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from eval.questions import EvalQuestion, Gold
from rag.errors import NotFound
from rag.store.catalog import Catalog
from rag.text.sentences import split_sentences
from rag.types import Document

# Tag of every unreviewed question.
DRAFT = "draft"
# Lengths in characters of the sentences to ask about.
LONGEST_SENTENCE = 300
_NOUN = r"(?:[A-Z][\w'-]+|[a-z][\w'-]+)"
_IS = re.compile(
    rf"^(?P<subject>(?:The|A|An|Each|Every) (?:{_NOUN} ){{0,4}}{_NOUN}|"
    r"(?!(?:It|He|She|They|This|That|There|We|You|I|What|Who)\b)[A-Z][\w'-]+(?: [A-Z][\w'-]+){0,3}) "
    r"(?P<verb>is|are|was|were) (?P<rest>[^.;:]{4,160})[.]?$"
)
_NUMBER = re.compile(
    r"(?<![\w.,/-])(?!(?:1[5-9]|20)\d\d\b)(?P<number>\d[\d,.]*\d|\d)"
    r"(?P<unit> ?%| percent\b| (?!(?:and|or|to|of|in|on|by|the|is|was|at|for|with|as|from|that|this|it)\b)[a-z]{3,}\b)"
)
_DATE = re.compile(
    r"\b(?:[Oo]n|[Ii]n|[Ss]ince|[Bb]y|[Uu]ntil) "
    r"(?P<date>(?:\d{1,2} )?(?:January|February|March|April|May|June|July|August|"
    r"September|October|November|December)(?: \d{1,2},?)?(?: \d{4})?|(?:1[5-9]|20)\d\d)\b"
)


def draft_questions(catalog: Catalog, corpus: str, count: int, *, seed: int = 0) -> list[EvalQuestion]:
    """Draft up to `count` questions, spread over the documents; the same for the same seed.

    Raises:
        NotFound: if there is no such corpus, or nothing in it to ask about.
    """
    rng = random.Random(seed)
    waiting = []
    for info in catalog.documents.infos(corpus):
        document = catalog.documents.get(corpus, info.name)
        drafts = list(_drafts(document))
        waiting.append(rng.sample(drafts, len(drafts)))
    chosen: list[tuple[str, str, Gold]] = []
    asked: set[str] = set()
    while len(chosen) < count and any(waiting):
        for drafts in waiting:
            if drafts and len(chosen) < count:
                draft = drafts.pop()
                if draft[0] not in asked:
                    asked.add(draft[0])
                    chosen.append(draft)
    if not chosen:
        raise NotFound(f"Nothing in {corpus!r} to draft questions from; write them by hand.")
    return [
        EvalQuestion(f"d{number:03}", question, (gold,), (answer,), tags=(DRAFT,))
        for number, (question, answer, gold) in enumerate(chosen, 1)
    ]


def _drafts(document: Document) -> Iterator[tuple[str, str, Gold]]:
    for start, end in split_sentences(document.text):
        raw = document.text[start:end]
        sentence = raw.strip()
        if (
            20 <= len(sentence) <= LONGEST_SENTENCE
            and len(sentence.splitlines()) == 1
            and sentence[0].isalnum()
        ):
            begin = start + raw.index(sentence)
            gold = Gold(document.name, begin, begin + len(sentence), sentence)
            for question, answer in _asked_about(sentence):
                yield question, answer, gold


def _asked_about(sentence: str) -> Sequence[tuple[str, str]]:
    """Return (question, answer) pairs about what a sentence states.

    "The limit is 40 euros."                 -> What is the limit?            40 euros
    "Backups are kept for 35 days."          -> How many days: "Backups are kept for ... days"?   35
    "It opened in March 2019."               -> When: "It opened in ..."?     March 2019
    """
    found: list[tuple[str, str]] = []
    if stated := _IS.match(sentence):
        subject = stated["subject"]
        if subject.split()[0] in ("The", "A", "An", "Each", "Every"):
            subject = subject[:1].lower() + subject[1:]
        found.append((f"What {stated['verb']} {subject}?", stated["rest"].strip()))
    plain = sentence.rstrip(".")
    if number := _NUMBER.search(sentence):
        gap = f"{plain[: number.start('number')]}...{plain[number.end('number') :]}"
        unit = number["unit"].strip().replace("%", "per cent")
        found.append((f'How many {unit}: "{gap}"?', number["number"]))
    if date := _DATE.search(sentence):
        gap = f"{plain[: date.start('date')]}...{plain[date.end('date') :]}"
        found.append((f'When: "{gap}"?', date["date"]))
    return found
