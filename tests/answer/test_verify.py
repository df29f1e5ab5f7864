"""Verification: a citation passes only if it is the stored text, at its place, of the current version."""

from dataclasses import replace

import pytest

from rag.answer.verify import StaleEvidence, verify
from rag.errors import CitationError
from rag.types import Chunk, Citation, Context, Draft, Evidence, Hit, Ledger
from tests.made_versions import CORPUS, Library

TEXT = "The mast is made of carbon. It weighs 12 kg. 🦩 aaaa"
QUOTE = "It weighs 12 kg."


def cite(**changed: object) -> Draft:
    start = TEXT.index(QUOTE)
    citation = Citation(
        0, len(QUOTE), 1, "mast.txt", 1, None, start, start + len(QUOTE), QUOTE, verified=False
    )
    return Draft(f"{QUOTE} [1]", (replace(citation, **changed),), 0.9)  # type: ignore[arg-type]


def context_of(*spans: tuple[str, int, int, int]) -> Context:
    """Make a context of (document, version, start, end), labelled from 1."""
    items = []
    for label, (name, version, start, end) in enumerate(spans, 1):
        chunk = Chunk(name, name, version, 0, len(TEXT), TEXT)
        items.append(Evidence(label, Hit(chunk, start, end, TEXT[start:end], 1.0, "trimmed"), 9))
    return Context("How heavy?", tuple(items), Ledger(99, 0, 0, 0, 9, 0), (), "")


WHOLE = context_of(("mast.txt", 1, 0, len(TEXT)))


@pytest.fixture
def mast(library: Library) -> Library:
    library.put("mast.txt", TEXT)
    return library


def test_a_true_citation_is_verified_and_otherwise_unchanged(mast: Library) -> None:
    draft = cite()
    assert verify(draft, WHOLE, CORPUS, mast.catalog) == (replace(draft.citations[0], verified=True),)
    assert verify(Draft("", (), 0.0, "nothing"), WHOLE, CORPUS, mast.catalog) == ()


START = TEXT.index(QUOTE)
END = START + len(QUOTE)


@pytest.mark.parametrize(
    "changed",
    [
        {"quote": "It weighs 13 kg."},  # tampered
        {"quote": "it weighs 12 kg."},
        {"quote": QUOTE + " "},
        {"quote": ""},
        {"quote": "", "end": START},
        {"start": START + 1, "end": END + 1},  # shifted by one
        {"start": START - 1, "end": END - 1},
        {"start": START - 1},
        {"end": END - 1},
        {"start": START - len(TEXT), "end": END - len(TEXT)},  # the same slice, counted from the end
        {"start": len(TEXT) - 4, "end": len(TEXT) + 50, "quote": "aaaa"},  # a slice would tolerate it
        {"start": END, "end": START},
        {"answer_start": 5, "answer_end": 5},
        {"answer_end": 5000},
        {"answer_start": -3},
        {"answer_start": 9, "answer_end": 4},
    ],
)
def test_whatever_is_not_the_text_at_its_place_is_an_error(mast: Library, changed: dict[str, object]) -> None:
    with pytest.raises(CitationError, match=r"mast\.txt"):
        verify(cite(**changed), WHOLE, CORPUS, mast.catalog)


def test_one_false_citation_among_true_ones_is_found(mast: Library) -> None:
    good = cite().citations[0]
    with pytest.raises(CitationError):
        verify(
            Draft(QUOTE, (good, replace(good, quote="It weighs 99 kg."), good), 0.9),
            WHOLE,
            CORPUS,
            mast.catalog,
        )


def test_offsets_are_code_points(mast: Library) -> None:
    start = TEXT.index("aaaa")
    draft = Draft("aaaa [1]", cite(start=start, end=start + 4, quote="aaaa", answer_end=4).citations, 0.9)
    assert verify(draft, WHOLE, CORPUS, mast.catalog)[0].verified


def test_a_stale_version_asks_again_even_with_the_same_words(mast: Library) -> None:
    mast.put("mast.txt", TEXT)
    with pytest.raises(StaleEvidence, match=r"mast\.txt is now at version 2"):
        verify(cite(), WHOLE, CORPUS, mast.catalog)
    second = context_of(("mast.txt", 2, 0, len(TEXT)))
    assert verify(cite(version=2), second, CORPUS, mast.catalog)[0].verified
    with pytest.raises(StaleEvidence):
        verify(cite(version=3), WHOLE, CORPUS, mast.catalog)


def test_a_deleted_document_asks_again(mast: Library) -> None:
    mast.put("other.txt", TEXT)
    mast.catalog.documents.delete(CORPUS, ["mast.txt"])
    with pytest.raises(StaleEvidence, match=r"no document 'mast.txt'"):
        verify(cite(), WHOLE, CORPUS, mast.catalog)
    mast.catalog.delete_corpus(CORPUS)
    with pytest.raises(StaleEvidence, match="no corpus"):
        verify(cite(), WHOLE, CORPUS, mast.catalog)


def test_the_same_words_under_another_name_do_not_count(mast: Library) -> None:
    mast.put("other.txt", "Nothing of the kind.")
    with pytest.raises(CitationError):
        verify(cite(document="other.txt"), WHOLE, CORPUS, mast.catalog)


@pytest.mark.parametrize(
    "spans",
    [
        (),
        (("other.txt", 1, 0, len(TEXT)),),
        (("mast.txt", 2, 0, len(TEXT)),),
        (("other.txt", 1, 0, len(TEXT)), ("mast.txt", 1, 0, len(TEXT))),  # that is [2]
        (("mast.txt", 1, START + 1, len(TEXT)),),
        (("mast.txt", 1, 0, END - 1),),
    ],
)
def test_a_quote_lies_in_the_evidence_that_its_label_names(
    mast: Library, spans: tuple[tuple[str, int, int, int], ...]
) -> None:
    assert verify(cite(), context_of(("mast.txt", 1, START, END)), CORPUS, mast.catalog)
    with pytest.raises(CitationError, match=r"does not lie in evidence \[1\]"):
        verify(cite(), context_of(*spans), CORPUS, mast.catalog)


@pytest.mark.parametrize(
    "text",
    [
        f"{QUOTE} [1] It sinks.",
        f"{QUOTE} [1] [2]",  # no citation is [2]
        f"{QUOTE} [1].",
        f"{QUOTE}s [1]",
        f"{QUOTE} [[1]1]",
    ],
)
def test_a_part_that_is_not_cited_is_an_error(mast: Library, text: str) -> None:
    citations = cite().citations
    for draft in (Draft(text, citations, 0.9), Draft(text, (), 0.9), Draft("[1]", (), 0.9)):
        with pytest.raises(CitationError, match="Nothing is cited"):
            verify(draft, WHOLE, CORPUS, mast.catalog)


def test_a_verbatim_draft_says_what_it_quotes(mast: Library) -> None:
    draft = replace(cite(), text="It weighs 13 kg. [1]")
    with pytest.raises(CitationError, match="not what the answer says"):
        verify(draft, WHOLE, CORPUS, mast.catalog)
    assert verify(replace(draft, verbatim=False), WHOLE, CORPUS, mast.catalog)[0].verified
