"""Ingest throughput: `ibid ingest` of a folder of text files, compared with its embedder alone.

The 490 Wikipedia articles come first, about 14,000 chunks, then copies of them: in each line the sentences are shuffled
and one word in ten is replaced, so that every chunk is really embedded. Each size has its own files and data folder.
The limit is the embedder's rate over chunks of those files, on the threads that ingest uses, before and after. The
start is an ingest of one short line. The catalogue is observed while it fills.
"""

from __future__ import annotations

import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from eval.benchmarks.operations.scale import alter
from eval.benchmarks.operations.server import memory_mb, without_settings
from eval.benchmarks.operations.sync import processor_s
from eval.datasets import records
from eval.trial import shared_embedder
from ingest.chunking.chunkers import make_chunker
from ingest.pieces import GROUP_CHUNKS
from rag.models.embed import Embedder, in_background
from rag.settings import Settings
from rag.store.catalog import Catalog
from rag.store.database import CATALOG
from rag.types import indexed_text

CORPUS = "rate"
SIZES = (1_000, 10_000, 100_000)  # chunks
# Most chunks, spread evenly, over which the limit is measured.
SAMPLE = 500
# Passes over the sample before the ingest, and again after.
PASSES = 3
STARTS = 3  # runs, of which the median counts
LOOK_S = 0.25
# Chunks; with fewer, a tenth is only a handful of commits.
LEAST_TENTH = 10 * GROUP_CHUNKS


@dataclass(frozen=True, slots=True)
class TimedIngest:
    """One `ibid ingest`: its seconds, its peak memory, and its progress in chunks over time."""

    seconds: float
    processor_s: float  # of all cores together, including the process that reads files
    memory_mb: int
    seen: Sequence[tuple[float, int]]  # (seconds, chunks) observed; the last after the process ended


def measure(sizes: Iterable[int] = SIZES) -> dict[str, Any]:
    """Ingest corpora of at least these numbers of chunks; return each one's figures by size."""
    articles = [entry["text"] for entry in records("documents/wikipedia-490.jsonl.gz")]
    return {str(size): figures(with_copies(articles), size) for size in sizes}


def with_copies(articles: Sequence[str]) -> Iterator[str]:
    """Yield the articles, then endless altered copies of them."""
    yield from articles
    rng = random.Random(7)
    words = [word for article in articles[:100] for word in article.split()]
    while True:
        for article in articles:
            yield "\n".join(alter(line, words, rng) for line in article.split("\n"))


def figures(documents: Iterable[str], chunks: int) -> dict[str, Any]:
    """Ingest enough documents for at least `chunks` chunks; return the figures.

    Raises:
        RuntimeError: if not all chunks reach the catalogue.
    """
    embedder = in_background(shared_embedder(Settings().corpus.embedder))
    with tempfile.TemporaryDirectory() as place:
        folder, home = Path(place) / "files", Path(place) / "home"
        texts = _write(documents, chunks, folder, embedder)
        sample = texts[:: math.ceil(len(texts) / SAMPLE)]
        limits = encoding_rates(embedder, sample)
        start_s = median(_start_s() for _ in range(STARTS))
        run = ingest(folder, home)
        limits += encoding_rates(embedder, sample)
        if run.seen[-1][1] != len(texts):
            raise RuntimeError(f"{run.seen[-1][1]} chunks are in the catalogue; expected {len(texts)}.")
        text_mb = _size_mb(folder.iterdir())
        return {
            "chunks": len(texts),
            "embedded": len(set(texts)),
            "text_mb": round(text_mb, 2),
            **rates(run, start_s, limits, text_mb),
            "catalogue_mb": round(_size_mb(home.glob(f"{CATALOG}*")), 1),
            "memory_mb": run.memory_mb,
        }


def _write(documents: Iterable[str], chunks: int, folder: Path, embedder: Embedder) -> list[str]:
    """Write documents as files until they have enough chunks; return the indexed text of each chunk, in order."""
    settings = Settings()
    chunker = make_chunker(settings.corpus.chunker, embedder, chunk_tokens=settings.corpus.chunk_tokens)
    folder.mkdir()
    texts: list[str] = []
    for number, document in enumerate(documents):
        (folder / f"{number:05}.txt").write_bytes(document.encode())
        pieces = chunker(document)
        texts += [indexed_text(document[piece.start : piece.end], piece.context) for piece in pieces]
        if len(texts) >= chunks:
            break
    return texts


def encoding_rates(embedder: Embedder, texts: Sequence[str]) -> list[tuple[float, float]]:
    """Return the embedder's rate in texts per second, and per second of processor time, in each of several passes."""
    embedder.encode(texts[:GROUP_CHUNKS])  # warm
    found = []
    for _ in range(PASSES):
        began, used = time.perf_counter(), time.process_time()
        embedder.encode(texts)
        found.append((len(texts) / (time.perf_counter() - began), len(texts) / (time.process_time() - used)))
    return found


def _start_s() -> float:
    """Return the time of ingesting one short line: the imports, the model, and the process that reads files."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "files"
        folder.mkdir()
        (folder / "line.txt").write_text("One line.\n", encoding="utf-8")
        return ingest(folder, Path(place) / "home").seconds


def ingest(folder: Path, home: Path) -> TimedIngest:
    """Run `ibid ingest` over a folder, observing the catalogue meanwhile.

    Raises:
        RuntimeError: if it fails; the message ends with its output.
    """
    run = [sys.executable, "-m", "api.cli", "ingest", str(folder), "--corpus", CORPUS]
    seen, peak_mb = [(0.0, 0)], 0
    with tempfile.TemporaryFile() as said:
        began, used = time.perf_counter(), processor_s()
        process = subprocess.Popen(
            run, env=without_settings() | {"IBID_HOME": str(home)}, stdout=said, stderr=said
        )
        while process.returncode is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_S)
            seen.append((time.perf_counter() - began, chunks_in(home)))
            # Not from wait4, which also counts the memory of this process at the fork.
            if process.returncode is None:
                peak_mb = max(peak_mb, memory_mb(process.pid, "VmHWM"))
        if process.returncode:
            said.seek(0)
            raise RuntimeError(
                f"`ibid ingest` ended with {process.returncode}:\n{said.read()[-4000:].decode()}"
            )
    return TimedIngest(seen[-1][0], processor_s() - used, peak_mb, seen)


def chunks_in(home: Path) -> int:
    """Count the chunks in the catalogue of a data folder; 0 while there is none.

    The connection is closed each time: an open one would take over the working process's last checkpoint.
    """
    if not (home / CATALOG).exists():
        return 0
    with closing(Catalog(home)) as catalog:
        return sum(info.chunks for info in catalog.corpora.infos())


def rates(
    run: TimedIngest, start_s: float, limits: Sequence[tuple[float, float]], text_mb: float
) -> dict[str, Any]:
    """Return the rates of a complete run.

    Args:
        limits: embedding rates of each pass, in chunks per second, and per second of processor time.
    """
    chunks, passes = run.seen[-1][1], [rate for rate, _ in limits]
    limit = median(passes)
    embedding_s = chunks / median(rate for _, rate in limits)  # seconds of processor time
    rate, after_start = chunks / run.seconds, chunks / (run.seconds - start_s)
    return {
        "seconds": round(run.seconds, 1),
        "start_s": round(start_s, 2),
        "after_the_last_chunk_s": round(run.seconds - _reached(run.seen, chunks)[0], 2),
        "chunks_per_s": round(rate, 1),
        "chunks_per_s_after_start": round(after_start, 1),
        "mb_per_s": round(text_mb / run.seconds, 4),
        "limit_chunks_per_s": round(limit, 1),
        "limit_lowest_and_highest": [round(min(passes), 1), round(max(passes), 1)],
        "share_of_limit": round(rate / limit, 3),
        "share_of_limit_after_start": round(after_start / limit, 3),
        "processor_s": round(run.processor_s, 1),
        "embedding_share_of_processor_s": round(embedding_s / run.processor_s, 3),
        "last_tenth_to_first": round(pace(run.seen), 3) if chunks >= 10 * LEAST_TENTH else None,
    }


def pace(seen: Sequence[tuple[float, int]]) -> float:
    """Return the rate over the last tenth of the chunks relative to that over the first.

    Both begin and end at an observation, the first at the one that saw the first chunks, so the start does not count.

    Args:
        seen: (seconds, chunks), increasing; each tenth must take longer than the interval between observations.
    """
    chunks = seen[-1][1]
    first = _rate(_reached(seen, 1), _reached(seen, chunks * 0.1))
    return _rate(_reached(seen, chunks * 0.9), _reached(seen, chunks)) / first


def _reached(seen: Sequence[tuple[float, int]], chunks: float) -> tuple[float, int]:
    """Return the first observation with at least this many chunks."""
    return next(look for look in seen if look[1] >= chunks)


def _rate(begin: tuple[float, int], end: tuple[float, int]) -> float:
    return (end[1] - begin[1]) / (end[0] - begin[0])


def _size_mb(paths: Iterable[Path]) -> float:
    return sum(path.stat().st_size for path in paths) / 1e6
