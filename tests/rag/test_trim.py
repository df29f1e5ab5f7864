from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.models.embed import TokenVectors
from rag.models.evidence import EvidencePassage
from rag.trim import KEEP, MOST_READ, trim
from rag.types import Chunk, Hit

ASKED = np.array([1.0, 0.0], np.float32)


def hits_of(text: str, cuts: Sequence[int], scores: Sequence[float], name: str = "doc") -> list[Hit]:
    """Cut a document into stripped chunks at the given offsets, one hit for each."""
    hits = []
    for (begin, end), score in zip(pairwise([0, *cuts, len(text)]), scores, strict=True):
        piece = text[begin:end]
        start = begin + len(piece) - len(piece.lstrip())
        chunk = Chunk(name, name, 1, start, start + len(piece.strip()), piece.strip(), page=begin + 1)
        hits.append(Hit(chunk, chunk.start, chunk.end, chunk.text, score, "reranked"))
    return hits


def trimmed(question: str, hits: Sequence[Hit], k: int = 1, text: str = "", keep: float = KEEP) -> list[Hit]:
    def read(chunk: Chunk, start: int, end: int) -> str:
        return text[start:end]

    return trim(
        question, ASKED, hits, k=k, idf=lambda term: 1.0, dense={}, read=read if text else None, keep=keep
    )


def test_scores_by_hand() -> None:
    text = "Bees fly. Ants dig. Cows eat."
    (hit,) = hits_of(text, [], [0.8])
    best, second, third = trimmed("bees fly", [hit], k=3)
    # own: half the share of the two terms = .5, 0, 0; with a quarter of each neighbour: .5, .125, 0
    # stretched: 1, .25, 0; the one chunk stretches to .5: .7 s + .3 * .5
    assert [best.text, second.text, third.text] == ["Bees fly.", "Ants dig.", "Cows eat."]
    assert [one.score for one in (best, second, third)] == pytest.approx([0.85, 0.7 * 0.25 + 0.15, 0.15])
    assert {one.stage for one in (best, second, third)} == {"trimmed"}


def test_a_hit_grows_over_neighbours_that_matter() -> None:
    text = "Cows eat. Bees fly far. Bees sting hard. Ants dig."
    (hit,) = hits_of(text, [], [1.0])
    assert trimmed("bees fly sting", [hit])[0].text == "Bees fly far. Bees sting hard."
    assert trimmed("bees fly sting", [hit], keep=0.0)[0].text == text


def test_a_hit_crosses_white_space_between_chunks() -> None:
    text = "Cows eat. Bees fly far.\n\nBees sting hard. Ants dig."
    hits = hits_of(text, [text.index("\n")], [0.5, 0.5])
    assert trimmed("bees fly sting", hits, text=text)[0].text == "Bees fly far.\n\nBees sting hard."
    assert "\n" not in trimmed("bees fly sting", hits)[0].text  # without `read` it stays in its chunk


def test_a_hit_does_not_cross_text_that_no_chunk_holds() -> None:
    text = "Cows eat. Bees fly far. X Bees sting hard. Ants dig."
    hits = hits_of(text, [text.index("X")], [0.5, 0.5])
    rest = hits[1].chunk
    moved = Chunk("doc", "doc", 1, rest.start + 2, rest.end, rest.text[2:])
    hits[1] = Hit(moved, moved.start, moved.end, moved.text, 0.5, "reranked")
    found = trimmed("bees fly sting", hits, k=4, text=text)
    assert sorted(one.text for one in found) == [
        "Ants dig.",
        "Bees fly far.",
        "Bees sting hard.",
        "Cows eat.",
    ]


def test_overlapping_chunks_give_each_sentence_once() -> None:
    text = "Bees fly. Ants dig. Cows eat."
    first, second = (Chunk("doc", "doc", 1, a, b, text[a:b]) for a, b in ((0, 19), (10, 29)))
    hits = [Hit(chunk, chunk.start, chunk.end, chunk.text, 0.5, "reranked") for chunk in (first, second)]
    found = trimmed("ants", hits, k=5)
    assert sorted((one.start, one.end) for one in found) == [(0, 9), (10, 19), (20, 29)]


def test_token_vectors_outweigh_the_chunk_cosine_and_words_may_be_none() -> None:
    text = "Aa bb. Cc dd."
    (hit,) = hits_of(text, [], [1.0])
    offsets = np.array([[0, 2], [3, 5], [7, 9], [10, 12]], np.int32)
    # The second sentence points as the question
    vectors = np.array([[0, 1], [0, 1], [2, 0], [2, 0]], np.float32)
    found = trim(
        "unrelated",
        ASKED,
        [hit],
        k=1,
        idf=lambda term: 1.0,
        dense={hit.chunk.id: 0.9},
        vectors={hit.chunk.id: TokenVectors(offsets, vectors)},
    )
    assert found[0].text == "Cc dd."


def test_idf_decides_between_terms() -> None:
    text = "The report is long. Cows eat grass. Ants dig. The zebra sleeps."
    (hit,) = hits_of(text, [], [1.0])
    found = trim(
        "report zebra", ASKED, [hit], k=1, idf=lambda term: 9.0 if "zebra" in term else 1.0, dense={}
    )
    assert found[0].text == "The zebra sleeps."


def test_the_better_chunk_wins_between_equal_sentences() -> None:
    hits = [*hits_of("Bees fly.", [], [0.2], "one"), *hits_of("Bees fly.", [], [0.9], "two")]
    assert [one.chunk.document for one in trimmed("bees", hits, k=2)] == ["two", "one"]


def test_page_and_chunk_are_those_of_the_best_sentence() -> None:
    text = "Bees fly far.\n\nBees sting hard and bees fly."
    hits = hits_of(text, [14], [0.5, 0.5])
    (found,) = trimmed("bees sting hard", hits, text=text, keep=0.0)
    assert (found.start, found.end) == (0, len(text))
    assert found.chunk == hits[1].chunk
    assert found.page == hits[1].chunk.page


class Favours:
    """An evidence model's stand-in: units with a word have log-odds of 3, others of -3."""

    def __init__(self, word: str) -> None:
        self._word = word
        self.read: list[str] = []

    def scores(self, question: str, passages: Sequence[EvidencePassage]) -> list[np.ndarray]:
        units = [[one.text[start:end] for start, end in one.units] for one in passages]
        self.read += [unit for each in units for unit in each]
        return [np.array([3.0 if self._word in unit else -3.0 for unit in each]) for each in units]


TABLE = "| Cloud | 2023 | H2 |\n| --- | --- | --- |\n| Sales | 10 | 12 |\n| Costs | 7 | 8 |\n"


def test_where_there_are_rows_the_best_units_are_read() -> None:
    text = f"Cloud sales grew by a fifth.\n\n{TABLE}\nCloud sales matter."
    hits, model = hits_of(text, [], [1.0]), Favours("10;")

    def found(evidence: Favours | None) -> list[Hit]:
        return trim(
            "cloud",
            ASKED,
            hits,
            k=4,
            idf=lambda term: 1.0,
            dense={},
            keep=1.0,
            evidence=(lambda: evidence) if evidence else None,
        )

    before = {one.text: one.score for one in found(None)}
    # Its neighbours speak for it
    assert next(iter(before)) == "| Costs | 7 | 8 |"
    after = found(model)
    assert after[0].text == "| Sales | 10 | 12 |"
    # Stretched log-odds, 1 of the favoured and 0 of the others, count half as much as the score before
    for one in after:
        read = 1.0 if one is after[0] else 0.0
        assert one.score == pytest.approx((before[one.text] + 0.5 * read) / 1.5)
    # As models read them: rows with the names of their columns
    assert "Cloud Sales: 2023 10; H2 12" in model.read


def test_a_sentence_that_overlapping_chunks_cut_is_read() -> None:
    text = f"Ada keeps the gate. At dusk the gate costs ten euros. Bees fly.\n\n{TABLE}"
    spans = ((0, 27), (20, len(text)))
    chunks = [Chunk("doc", "doc", 1, start, end, text[start:end]) for start, end in spans]
    hits = [Hit(chunk, chunk.start, chunk.end, chunk.text, 0.5, "reranked") for chunk in chunks]
    model = Favours("ten euros")
    found = trim(
        "gate costs", ASKED, hits, k=1, idf=lambda term: 1.0, dense={}, keep=1.0, evidence=lambda: model
    )
    assert "At dusk the gate costs ten euros." in model.read
    assert found[0].text.endswith("costs ten euros.")


def test_without_rows_nothing_is_read() -> None:
    def never() -> Favours:
        raise AssertionError

    hits = hits_of("Bees fly. Ants dig.", [], [1.0])
    assert trim("bees", ASKED, hits, k=1, idf=lambda term: 1.0, dense={}, evidence=never)


def test_only_the_best_units_are_read() -> None:
    rows = "".join(f"| Site {number} | {number} |\n" for number in range(2 * MOST_READ))
    hits, model = hits_of(f"| Place | Gates |\n| --- | --- |\n{rows}", [], [1.0]), Favours("Site 3:")
    trim("gates of site 3", ASKED, hits, k=1, idf=lambda term: 1.0, dense={}, evidence=lambda: model)
    assert len(model.read) == MOST_READ


def test_nothing_to_trim_and_bad_arguments() -> None:
    assert trimmed("bees", []) == []
    with pytest.raises(ValueError, match="k is 0"):
        trimmed("bees", [], k=0)
    with pytest.raises(ValueError, match="keep"):
        trimmed("bees", [], keep=1.5)


SENTENCE = st.sampled_from(
    ["Bees fly.", "Ants dig!", "\n\n", "Cows eat grass? ", "- item\n", "Zebras.", "一。", " "]
)


@given(st.lists(SENTENCE, min_size=1, max_size=12), st.data(), st.integers(1, 6), st.floats(0, 1))
def test_hits_are_verbatim_disjoint_and_best_first(
    sentences: list[str], data: st.DataObject, k: int, keep: float
) -> None:
    text = " ".join(sentences)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=3)) - {len(text)})
    scores = data.draw(st.lists(st.floats(0, 1), min_size=len(cuts) + 1, max_size=len(cuts) + 1))
    hits = [hit for hit in hits_of(text, cuts, scores) if hit.text]
    found = trimmed("do bees or ants dig", hits, k=k, text=text, keep=keep)
    assert len(found) <= k
    assert bool(found) == bool(hits)
    assert all(text[one.start : one.end] == one.text == one.text.strip() != "" for one in found)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(0 <= one.score <= 1 + 1e-9 for one in found)
    assert all(a.end <= b.start for a, b in pairwise(sorted(found, key=lambda one: one.start)))


STEPS = (
    "The logger has a button. To reset it, do this:\n\n"
    "1. Hold the button.\n2. Wait for green.\n3. Release it.\n\nNothing is lost."
)
SALES = (
    "Sales grew. The table shows sales by kind:\n\n"
    "| Kind | 2023 |\n|---|---|\n| Phones | 51 |\n| Tablets | 7 |\n\nThat is all."
)


def test_what_introduces_a_list_takes_it_along() -> None:
    whole = "To reset it, do this:\n\n1. Hold the button.\n2. Wait for green.\n3. Release it."
    assert trimmed("reset", hits_of(STEPS, [], [1.0]))[0].text == whole


def test_a_run_that_ends_with_an_introduction_takes_the_list_along() -> None:
    text = "Reset the logger once a month. To reset it:\n\n1. Hold the button.\n2. Wait.\n3. Let go."
    hit = trimmed("How often do I reset the logger once a month?", hits_of(text, [], [1.0]), k=1)[0]
    assert hit.text == text


def test_what_introduces_a_table_takes_its_rows_along_with_their_header() -> None:
    found = trimmed("kind of sales", hits_of(SALES, [], [1.0]), k=3)
    assert found[0].text.endswith("| Phones | 51 |\n| Tablets | 7 |")
    assert "| Kind | 2023 |" in found[0].text
    assert all(SALES[one.start : one.end] == one.text for one in found)
    assert not any("Phones" in one.text for one in found[1:])


def test_an_item_takes_its_list_along_only_if_a_list_is_asked_for() -> None:
    [hit] = hits_of(STEPS, [], [1.0])
    assert trimmed("How do I wait for green?", [hit])[0].text.startswith("To reset it, do this:")
    assert trimmed("When is it green?", [hit])[0].text == "2. Wait for green."


@given(
    st.lists(
        st.sampled_from(["Bees fly.", "Bees sting:", "- bees", "- ants", "1. bees", "Ants dig."]), max_size=12
    )
)
def test_spans_do_not_overlap_whatever_lists_there_are(lines: list[str]) -> None:
    text = "Cows eat.\n" + "\n".join(lines)
    found = sorted(trimmed("Which bees are there?", hits_of(text, [], [1.0]), k=9), key=lambda one: one.start)
    assert all(text[one.start : one.end] == one.text for one in found)
    assert all(first.end <= second.start for first, second in pairwise(found))
