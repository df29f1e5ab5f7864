"""Boxes of words: packed and read back, and merged to marks for a span."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.boxes import MarkBox, are_boxes_of, boxes_between
from tests.made_boxes import WordBox, pack, unpack

_places = st.integers(0, 4_000).map(lambda quarter: quarter / 4)


@st.composite
def word_boxes(draw: st.DrawFn) -> list[WordBox]:
    words, start = [], 0
    for _ in range(draw(st.integers(0, 30))):
        start += draw(st.integers(0, 5))
        end = start + draw(st.integers(1, 12))
        x0, y0 = draw(_places), draw(_places)
        width, height = draw(_places), draw(_places)
        words.append(WordBox(start, end, draw(st.integers(1, 5)), x0, y0, x0 + width, y0 + height))
        start = end
    return words


@given(word_boxes())
def test_what_is_packed_is_read_back(words: list[WordBox]) -> None:
    assert unpack(pack(words)) == words


@given(word_boxes(), st.integers(0, 300), st.integers(0, 60))
def test_a_span_marks_its_words_and_no_page_else(words: list[WordBox], start: int, length: int) -> None:
    end = start + length
    marks = boxes_between(pack(words), start, end)
    inside = [word for word in words if word.start < end and word.end > start and length]
    assert {mark.page for mark in marks} == {word.page for word in inside}
    for word in inside:
        assert any(
            mark.page == word.page
            and mark.x0 <= word.x0
            and mark.y0 <= word.y0
            and mark.x1 >= word.x1
            and mark.y1 >= word.y1
            for mark in marks
        )


def test_one_mark_for_each_line() -> None:
    words = [
        WordBox(0, 3, 1, 10, 10, 30, 20),
        WordBox(4, 9, 1, 33, 10, 60, 20),
        WordBox(10, 14, 1, 10, 24, 40, 34),
        WordBox(15, 18, 2, 10, 10, 30, 20),
    ]
    assert boxes_between(pack(words), 1, 16) == [
        MarkBox(1, 10, 10, 60, 20),
        MarkBox(1, 10, 24, 40, 34),
        MarkBox(2, 10, 10, 30, 20),
    ]
    assert boxes_between(pack(words), 4, 9) == [MarkBox(1, 33, 10, 60, 20)]


def test_nothing_is_packed_as_nothing() -> None:
    assert pack([]) == b""
    assert unpack(b"") == []
    assert boxes_between(b"", 0, 10) == []


def test_large_pages_are_packed_too() -> None:
    words = [WordBox(0, 3, 1, 10_000, 20_000, 30_000, 20_050), WordBox(100_000, 100_003, 4_000, 0, 0, 5, 5)]
    assert unpack(pack(words)) == words


@pytest.mark.parametrize(
    "damaged", [b"x", b"\x01\x00\x00\x00\x05abc", b"\x09\x00\x00\x00\x05abc", b"\x01\xff\xff\xff\xff"]
)
def test_damaged_boxes_are_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="boxes"):
        boxes_between(damaged, 0, 1)


def test_boxes_belong_to_a_text() -> None:
    packed = pack([WordBox(0, 5, 1, 10, 10, 40, 20), WordBox(6, 9, 1, 42, 10, 60, 20)])
    assert are_boxes_of(packed, 9)
    assert not are_boxes_of(packed, 8)
    assert are_boxes_of(b"", 0)
    for wrong in (WordBox(0, 5, 0, 1, 1, 2, 2), WordBox(-2, 1, 1, 1, 1, 2, 2), WordBox(4, 3, 1, 1, 1, 2, 2)):
        assert not are_boxes_of(pack([wrong]), 9)
    # 700 MB of zeros: refused unread, for no text has so many words
    assert not are_boxes_of(struct.pack("<BI", 1, 50_000_000) + zlib.compress(bytes(1000)), 20_000_000)
