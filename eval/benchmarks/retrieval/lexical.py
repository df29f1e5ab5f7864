"""Time the lexical index at 100,000 chunks against tantivy, bm25s and rank_bm25, in one run.

The chunks are pieces of 690 characters of Wikipedia articles, about 22,500 of them. Further ones are copies with a
seeded third of the words replaced by words drawn from all articles and the rest shuffled, so that word frequencies and
lengths stay realistic and no two chunks are alike. The questions are SQuAD's, whose paragraphs are in the articles.
Engines that are not installed are skipped. Times are single-threaded.
"""

import importlib
import random
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from eval.datasets import records
from rag.index.lexical import K1, B, LexicalIndex
from rag.index.reference import RankBm25Index
from rag.text.words import question_terms, text_terms

PIECE = 690  # characters
SLOW_QUESTIONS = 10  # for rank_bm25
Figures = dict[str, float | str]


def make_chunks(texts: Sequence[str], n: int, *, seed: int = 0) -> list[str]:
    """Cut texts into pieces, and add altered copies until there are n (see the module)."""
    pieces = [text[i : i + PIECE] for text in texts for i in range(0, len(text), PIECE)][:n]
    rng = random.Random(seed)
    pool = [word for piece in rng.sample(pieces, min(len(pieces), 5000)) for word in piece.split()]
    chunks = list(pieces)
    while len(chunks) < n:
        words = pieces[len(chunks) % len(pieces)].split()
        words = [rng.choice(pool) if rng.random() < 1 / 3 else word for word in words]
        rng.shuffle(words)
        chunks.append(" ".join(words))
    return chunks


def timed(action: Callable[..., object], *arguments: object) -> float:
    """Return the time of an action, in ms."""
    start = time.perf_counter()
    action(*arguments)
    return (time.perf_counter() - start) * 1000


def middle(times: Sequence[float]) -> float:
    """Return the median, rounded to hundredths."""
    return round(float(np.median(times)), 2)


def time_questions(search: Callable[[str], object], questions: Sequence[str]) -> Figures:
    """Ask every question once after a warm-up and return the percentiles."""
    search(questions[0])
    times = [timed(search, question) for question in questions]
    return {"p50_ms": middle(times), "p95_ms": round(float(np.percentile(times, 95)), 2)}


def memory_mb() -> float:
    """Return this process's resident memory now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def bench_ibid(chunks: Sequence[str], questions: Sequence[str]) -> Figures:
    """Measure `LexicalIndex`: everything, with changes, filters, snapshots and a pasted page."""
    index, before, n = LexicalIndex(), memory_mb(), len(chunks)
    figures: Figures = {"build_s": round(timed(lambda: index.add(range(n), chunks)) / 1000, 2)}
    figures["memory_mb"] = round(memory_mb() - before)
    figures |= time_questions(lambda q: index.search(q, 20), questions)
    figures |= time_changes(index, n)
    allowed = np.arange(0, n, 2)
    figures["half_allowed_p50_ms"] = time_questions(
        lambda q: index.search(q, 20, allowed=allowed), questions
    )["p50_ms"]
    page = "\n".join(chunks[:: n // 150])[:100_000]
    figures["pasted_100kb_ms"] = round(timed(index.search, page, 20), 1)
    arrays: dict[str, np.ndarray] = {}
    figures["to_arrays_ms"] = round(timed(lambda: arrays.update(index.to_arrays())))
    figures["arrays_mb"] = round(sum(array.nbytes for array in arrays.values()) / 1e6)
    figures["from_arrays_ms"] = round(timed(lambda: LexicalIndex.from_arrays(arrays)))
    return figures


def time_changes(index: LexicalIndex, n: int) -> Figures:
    """Add one chunk and find it, delete it and miss it, 100 times; then 1,000 single adds."""

    def add(chunk: int) -> None:
        index.add([chunk], [f"the newcomer{chunk} speaks of weather and trade"])
        assert index.search(f"newcomer{chunk}", 1)[0][0] == chunk

    def remove(chunk: int) -> None:
        index.remove([chunk])
        assert chunk not in [found for found, _ in index.search(f"newcomer{chunk}", 1)]

    fresh = range(n, n + 100)
    adds = [timed(add, chunk) for chunk in fresh]
    removes = [timed(remove, chunk) for chunk in fresh]
    more = [timed(add, chunk) for chunk in range(n + 100, n + 1100)]
    return {
        "add_one_visible_ms": middle(adds),
        "remove_one_ms": middle(removes),
        "remove_one_max_ms": round(max(removes), 2),
        "add_1000_singly_s": round(sum(more) / 1000, 2),
        "add_one_max_ms": round(max(more), 2),
    }


def bench_rank_bm25(chunks: Sequence[str], questions: Sequence[str]) -> Figures:
    """Measure the reference on a few questions, and how far the engine's scores are from its own."""
    index, engine, few = RankBm25Index(), LexicalIndex(), questions[:SLOW_QUESTIONS]
    everything = range(len(chunks))
    index.add(everything, chunks)
    engine.add(everything, chunks)
    figures: Figures = {"rebuild_s": round(timed(index.search, "warm", 1) / 1000, 2)}
    figures |= time_questions(lambda question: index.search(question, 20), few)
    apart = [np.abs(index.score(q, everything) - engine.score(q, everything)).max() for q in few]
    return figures | {"engine_differs_by": float(max(apart))}


def bench_bm25s(chunks: Sequence[str], questions: Sequence[str]) -> Figures:
    """Measure bm25s on our terms."""
    bm25s = importlib.import_module("bm25s")
    engine = bm25s.BM25(method="lucene", k1=K1, b=B)

    def build() -> None:
        engine.index([text_terms(chunk) for chunk in chunks], show_progress=False)

    def search(question: str) -> object:
        return engine.retrieve([question_terms(question)], k=20, show_progress=False)

    return {"build_s": round(timed(build) / 1000, 2)} | time_questions(search, questions)


def bench_tantivy(chunks: Sequence[str], questions: Sequence[str]) -> Figures:
    """Measure tantivy in memory with its English stemmer, questions stripped of query syntax."""
    tantivy = importlib.import_module("tantivy")
    fields = tantivy.SchemaBuilder().add_integer_field("id", stored=True, indexed=True)
    engine = tantivy.Index(fields.add_text_field("text", tokenizer_name="en_stem").build())
    writer = engine.writer(200_000_000, 1)

    def add(start: int, texts: Sequence[str]) -> None:
        for number, text in enumerate(texts, start):
            writer.add_document(tantivy.Document(id=number, text=text))
        writer.commit()
        engine.reload()

    def search(question: str) -> object:
        plain = "".join(c if c.isalnum() else " " for c in question).lower()
        searcher = engine.searcher()
        hits = searcher.search(engine.parse_query(plain, ["text"]), 20).hits
        return [(searcher.doc(address)["id"][0], score) for score, address in hits]

    figures: Figures = {"build_s": round(timed(lambda: add(0, chunks)) / 1000, 2)}
    figures |= time_questions(search, questions)
    adds = [timed(add, number, ["one newcomer"]) for number in range(len(chunks), len(chunks) + 10)]
    return figures | {"add_one_visible_ms": middle(adds)}


def measure(chunks: int = 100_000) -> dict[str, Figures]:
    """Measure every installed engine over the same chunks and 300 questions; print results as they come."""
    texts = make_chunks([entry["text"] for entry in records("documents/wikipedia-490.jsonl.gz")], chunks)
    asked = [entry["question"] for entry in records("reading/squad-dev.jsonl.gz")]
    questions = random.Random(0).sample(asked, 300)
    figures: dict[str, Figures] = {}
    for name, bench in ENGINES.items():
        try:
            figures[name] = bench(texts, questions)
        except ImportError as missing:
            figures[name] = {"skipped": str(missing)}
        print(name, figures[name], flush=True)
    return figures


ENGINES: dict[str, Callable[[Sequence[str], Sequence[str]], Figures]] = {
    "ibid": bench_ibid,
    "tantivy": bench_tantivy,
    "bm25s": bench_bm25s,
    "rank_bm25": bench_rank_bm25,
}
