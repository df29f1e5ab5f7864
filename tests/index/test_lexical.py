"""The BM25 engine against `rank_bm25` on the same terms, through any order of changes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.index import lexical
from rag.index.lexical import LexicalIndex
from rag.index.reference import RankBm25Index
from rag.text import words

TEXTS = [
    "The server answers with RFC 2616 headers, as every server of its time.",
    "A user sets the id. The user may set an id twice, and every user has an id, and the user id is new.",
    "Call get_user with user_id and a token.",
    "The pump reports ERR-0042 when the valve is stuck.",
    "Error 42 is harmless; see section 0043.",
    "全文検索エンジンは東京で作られました。",
    "数据库的全文检索很快。",
    "To be, or not to be, that is the question.",
    "Café owners in Łódź prefer self-hosted tills; the tills are self hosted.",
    "",
]
QUESTIONS = [
    "the server",
    "user id",
    "user_id",
    "to be or not to be",
    "valve valve pump",
    "全文検索",
    "unknown",
    "",
]
WORDS = ["red", "green", "blue", "user_id", "the", "全文検索", "x"]


def both(texts: list[str], **parameters: float) -> tuple[LexicalIndex, RankBm25Index]:
    engine, reference = LexicalIndex(**parameters), RankBm25Index(**parameters)
    for index in (engine, reference):
        index.add(range(len(texts)), texts)
    return engine, reference


def assert_agree(
    engine: LexicalIndex, reference: RankBm25Index, questions: list[str], ids: list[int]
) -> None:
    assert len(engine) == len(reference)
    for question in questions:
        expected = dict(reference.search(question, 1000))
        found = engine.search(question, 1000)
        assert dict(found) == pytest.approx(expected, abs=1e-4)
        assert found == sorted(found, key=lambda hit: (-hit[1], hit[0]))
        np.testing.assert_allclose(engine.score(question, ids), reference.score(question, ids), atol=1e-4)


def test_a_hand_calculation() -> None:
    index = LexicalIndex(k1=1.2, b=0.75)
    index.add([7, 8, 9], ["red red blue", "blue", "green green green green"])
    # "red" is in 1 of 3 chunks, twice; its chunk has 3 terms, the mean is 8 / 3
    idf = np.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    expected = idf * 2.2 * 2 / (2 + 1.2 * (0.25 + 0.75 * 3 / (8 / 3)))
    assert dict(index.search("red", 5)) == {7: pytest.approx(expected)}
    assert dict(index.search("red red", 5)) == {7: pytest.approx(2 * expected)}
    assert index.idf("red") == pytest.approx(idf)
    assert index.idf("unheard") == pytest.approx(np.log(1 + 3.5 / 0.5))


@pytest.mark.parametrize("parameters", [{}, {"k1": 0.9, "b": 0.4}, {"k1": 2.0, "b": 0.0}, {"k1": 0.01}])
def test_scores_are_those_of_rank_bm25(parameters: dict[str, float]) -> None:
    engine, reference = both(TEXTS, **parameters)
    assert_agree(engine, reference, QUESTIONS, [3, 0, 99, 9, 3])
    for term in ("server", "the", "unheard"):
        assert engine.idf(term) == pytest.approx(reference.idf(term))


texts = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
adds = st.tuples(
    st.just("add"), st.dictionaries(st.integers(0, 2**63 - 1) | st.integers(0, 9), texts, max_size=5)
)
removes = st.tuples(st.just("remove"), st.lists(st.integers(0, 40), max_size=6))
turns = st.tuples(st.sampled_from(["compact", "reload"]), st.none())


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 40),
    st.lists(adds | removes | turns, max_size=12),
    st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join),
)
def test_any_order_of_changes(n: int, changes: list[tuple[str, Any]], question: str) -> None:
    """Model: a dict of texts, passed to a fresh `rank_bm25`. The engine has to agree after every change.

    The n initial chunks are a segment that is not merged with later ones while those are less than an eighth of it.
    """
    engine, model = LexicalIndex(), {100 + i: " ".join(WORDS[i % 7 : i % 4 : -1]) for i in range(n)}
    engine.add(list(model), list(model.values()))
    for kind, what in changes:
        if kind == "add":
            new = {i: text for i, text in what.items() if i not in model}
            engine.add(list(new), list(new.values()))
            model |= new
        elif kind == "remove":
            gone = [list(model)[place] for place in what if place < len(model)]
            engine.remove([*gone, 12345678901])
            model = {i: text for i, text in model.items() if i not in gone}
        else:
            arrays = engine.to_arrays()
            engine = LexicalIndex.from_arrays(arrays) if kind == "reload" else engine
        reference = RankBm25Index()
        reference.add(list(model), list(model.values()))
        assert_agree(engine, reference, [question], list(model))
        fresh = LexicalIndex()
        fresh.add(list(model)[::-1], list(model.values())[::-1])
        assert engine.search(question, 7) == fresh.search(question, 7)  # bits, not approximately


def test_the_reference_filters_too() -> None:
    _, reference = both(TEXTS)
    assert [i for i, _ in reference.search("user", 5, allowed=np.array([0, 2, 7]))] == [2]


def test_ties_go_by_id() -> None:
    index = LexicalIndex()
    index.add([9, 4, 6], ["same words"] * 3)
    index.add([5], ["same words"])
    assert [i for i, _ in index.search("words", 3)] == [4, 5, 6]


@pytest.mark.parametrize("make", [LexicalIndex, RankBm25Index])
@pytest.mark.parametrize(
    ("question", "best"),
    [
        ("RFC2616", [0]),
        ("rfc 2616", [0]),
        ("user_id", [2, 1]),  # before the chunk with many occurrences of user and id
        ("err-0042", [3]),
        ("self hosted", [8]),
        ("cafe lodz", [8]),
        ("全文検索", [5]),
        ("東京", [5]),
        ("检索", [6]),
        ("to be or not to be", [7]),
    ],
)
def test_what_is_found_first(
    make: Callable[[], LexicalIndex | RankBm25Index], question: str, best: list[int]
) -> None:
    index = make()
    index.add(range(len(TEXTS)), TEXTS)
    assert [i for i, _ in index.search(question, 10)][: len(best)] == best


@pytest.mark.parametrize("make", [LexicalIndex, RankBm25Index])
def test_nothing_in_nothing_out(make: Callable[[], LexicalIndex | RankBm25Index]) -> None:
    index = make()
    assert (len(index), index.search("word", 5), index.score("word", [1]).tolist()) == (0, [], [0])
    index = type(index).from_arrays(index.to_arrays())
    index.add([], [])
    index.remove([5])
    assert index.search("word", 5) == []
    index.add([1, 2], ["", ""])
    assert (len(index), index.search("word", 5)) == (2, [])
    index = type(index).from_arrays(index.to_arrays())
    index.add([3], ["word"])
    assert [i for i, _ in index.search("word", 5)] == [3]
    assert index.search("word", 0) == index.search("", 5) == []
    index.remove(iter([1, 2, 3]))
    assert (len(index), index.search("word", 5)) == (0, [])


@pytest.mark.parametrize("make", [LexicalIndex, RankBm25Index])
@pytest.mark.parametrize(
    ("ids", "texts"), [([3, 1], ["new", "new"]), ([4, 4], ["new", "new"]), ([5], ["a", "b"])]
)
def test_a_refused_add_changes_nothing(
    make: Callable[[], LexicalIndex | RankBm25Index], ids: list[int], texts: list[str]
) -> None:
    index = make()
    index.add([1, 2], ["red", "blue"])
    with pytest.raises(ValueError, match=r"index|texts"):
        index.add(ids, texts)
    assert (len(index), index.search("new", 5)) == (2, [])
    index.remove([1])
    index.add([1], ["green"])
    assert index.search("red", 5) == []
    assert [i for i, _ in index.search("green", 5)] == [1]


@pytest.mark.parametrize("make", [LexicalIndex, RankBm25Index])
def test_a_snapshot_answers_with_the_same_bits(make: type[LexicalIndex] | type[RankBm25Index]) -> None:
    index = make()
    index.add(range(len(TEXTS)), TEXTS)
    index.remove([3])
    before = [index.search(question, 10) for question in QUESTIONS]
    arrays = index.to_arrays()
    assert "valv" not in arrays.get("lexical_vocabulary", np.empty(0, np.uint8)).tobytes().decode()
    for array in arrays.values():
        array.flags.writeable = False  # as from a memory map
    restored = make.from_arrays(arrays)
    for same in (index, restored):
        assert [same.search(question, 10) for question in QUESTIONS] == before
        same.add([3, 77], [TEXTS[3], "valve zebra"])
        assert [i for i, _ in same.search("zebra valve", 5)] == [77, 3]
        same.remove([0])
        assert same.search("rfc", 5) == []


@pytest.mark.parametrize("make", [LexicalIndex, RankBm25Index])
def test_a_snapshot_of_other_terms_is_refused(
    make: type[LexicalIndex] | type[RankBm25Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = make().to_arrays()
    monkeypatch.setattr(words, "VERSION", words.VERSION + 1)
    with pytest.raises(ValueError, match="format"):
        make.from_arrays(arrays)


def test_more_of_one_term_than_fits() -> None:
    index = LexicalIndex()
    index.add([1], ["word " * 70_000])
    assert index._segments[0].counts.tolist() == [65_535]


def test_a_large_add_goes_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexical, "BATCH", 3)
    assert_agree(*both(TEXTS), QUESTIONS, list(range(len(TEXTS))))
