"""Ingest throughput: altered copies, the arithmetic of the pace, and a real `ibid ingest` of a few documents."""

from itertools import islice
from pathlib import Path

import pytest

from eval.benchmarks.operations.ingest_rate import (
    TimedIngest,
    chunks_in,
    figures,
    ingest,
    pace,
    rates,
    with_copies,
)

ARTICLES = [
    "The lamp burns whale oil. Ada Quill lights it at dusk. " * 20 + "\n\nThe tower has ninety steps. " * 3,
    "Letters come by boat on Monday. The keeper reads them aloud to the gulls. " * 20,
]


def test_copies_are_altered_line_by_line_and_never_repeat() -> None:
    documents = list(islice(with_copies(ARTICLES), 10))

    assert documents[:2] == ARTICLES
    assert len(set(documents)) == 10
    for number, copy in enumerate(documents[2:]):
        original = ARTICLES[number % 2]
        assert [len(line.split()) for line in copy.split("\n")] == [
            len(line.split()) for line in original.split("\n")
        ]
        kept = sum(word in original.split() for word in copy.split())
        assert kept > 0.8 * len(original.split())


def test_the_pace_compares_the_last_tenth_with_the_first() -> None:
    """First: (110 - 10) / (4 - 3) = 100 per second. Last: (1000 - 900) / (16 - 12) = 25, however long the end takes."""
    seen = [(0.0, 0), (2.0, 0), (3.0, 10), (4.0, 110), (8.0, 500), (12.0, 900), (16.0, 1000), (60.0, 1000)]

    assert pace(seen) == pytest.approx(25 / 100)


def test_the_rates_with_the_arithmetic() -> None:
    """200 chunks in 10 s, of which 2 are the start: 20 a second, 25 after it; the limit is the median, 50.

    Embedding alone would take 200 / 25 = 8 of the 16 seconds of the processor; the last chunk was in after 9.
    """
    run = TimedIngest(
        seconds=10.0, processor_s=16.0, memory_mb=300, seen=[(0.0, 0), (4.0, 80), (9.0, 200), (10.0, 200)]
    )
    found = rates(run, start_s=2.0, limits=[(40.0, 20.0), (50.0, 25.0), (90.0, 30.0)], text_mb=0.5)

    assert (found["chunks_per_s"], found["chunks_per_s_after_start"], found["mb_per_s"]) == (20, 25, 0.05)
    assert (found["limit_chunks_per_s"], found["limit_lowest_and_highest"]) == (50, [40, 90])
    assert (found["share_of_limit"], found["share_of_limit_after_start"]) == (0.4, 0.5)
    assert found["embedding_share_of_processor_s"] == 0.5
    assert found["after_the_last_chunk_s"] == 1
    assert found["last_tenth_to_first"] is None  # of so few chunks


def test_a_few_documents_are_ingested_by_a_real_process() -> None:
    found = figures(with_copies(ARTICLES), 12)

    assert 12 <= found["chunks"] == found["embedded"] < 24
    assert 0 <= found["after_the_last_chunk_s"] < found["seconds"]
    assert found["chunks_per_s"] == pytest.approx(found["chunks"] / found["seconds"], rel=0.05, abs=0.06)
    assert min(found["start_s"], found["processor_s"], found["limit_chunks_per_s"], found["catalogue_mb"]) > 0
    assert 0 < found["embedding_share_of_processor_s"] < 1  # the total includes the start
    assert found["memory_mb"] > 50


def test_an_ingest_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)ended with 1:.*does not exist"):
        ingest(tmp_path / "nowhere", tmp_path / "home")


def test_looking_for_chunks_makes_no_catalogue(tmp_path: Path) -> None:
    assert chunks_in(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []
