"""A case about a lamp, what holds for every case, and the mark of tests that read the public data."""

from __future__ import annotations

import pytest

from eval.datasets import available
from training.evidence.cases import Case, passage

needs_data = pytest.mark.skipif(
    not available("reading"), reason="the public data sets are not beside this checkout"
)
LAMP = "The lamp burns whale oil. It was lit in 1820 by Ada Quill. The stairs have 199 steps."


def lamp_case(*phrases: str, place: str = "lighthouse notes", text: str = LAMP) -> Case:
    found = [(text.index(phrase), text.index(phrase) + len(phrase)) for phrase in phrases]
    return Case("What does the lamp burn?", (passage(place, text, found),))


def assert_sound(case: Case) -> None:
    """Check what holds for every case."""
    assert case.question.strip()
    assert case.passages
    assert case.yes is None or any(one.answers for one in case.passages)
    for one in case.passages:
        assert all(0 <= start <= end <= len(one.text) for start, end in one.units)
        assert all(0 <= start < end <= len(one.text) for start, end in one.spans)
        assert all(left[1] <= right[0] for left, right in zip(one.units, one.units[1:], strict=False))
        assert one.answering is None or all(0 <= number < len(one.units) for number in one.answering)
        if one.answering is not None:
            holding = [one.units[number] for number in one.answering]
            for start, end in one.spans:
                assert any(begin < end and start < stop for begin, stop in holding), one.text[start:end]
        assert one.answers or not one.spans
