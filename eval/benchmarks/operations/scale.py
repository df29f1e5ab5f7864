"""A large corpus: start-up, memory, question time and upload-to-searchable of a real server.

The 490 Wikipedia articles make the first 6,000 chunks, really embedded. Copies fill up to the requested size: in each,
the sentences of a chunk are shuffled, one word in ten is replaced by another of the corpus, and its vector is the
original's plus noise (cosine about 0.9), since embedding them would take an hour and change no time measured here.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from eval.benchmarks.operations.server import running_server
from eval.datasets import records
from eval.metrics import percentile
from eval.trial import shared_embedder
from ingest.build import Builder
from ingest.source import Source
from rag.models.embed import unit
from rag.pipeline import Pipeline
from rag.settings import Settings
from rag.stages import ModelSet
from rag.store.catalog import Catalog
from rag.store.chunks import Pieces, embedding_key
from rag.store.documents import NewVersion
from rag.text.sentences import split_sentences

CORPUS = "scale"
# Chunks really embedded, in whole articles.
REAL = 6_000
# Chunks of an altered document.
PER_DOCUMENT = 100
QUESTIONS = 200


def measure(chunks: int) -> dict[str, Any]:
    """Build a corpus of at least `chunks` chunks and measure a real server over it."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        built = build_corpus(home, chunks)
        with running_server(home) as server:
            asked = [entry["question"] for entry in records("reading/squad-dev.jsonl.gz")][
                :: 1504 // QUESTIONS
            ]
            results: dict[str, Any] = {**built, "ready_s": round(server.ready_s, 2)}
            for way in ("search", "ask"):
                times = [_ask(server.client, way, question) for question in asked[:QUESTIONS]]
                results |= {f"{way}_p50_ms": round(percentile(times, 0.5), 1)}
                results |= {f"{way}_p95_ms": round(percentile(times, 0.95), 1)}
            results["upload_to_searchable_s"] = round(_upload_to_searchable(server.client), 2)
            results["memory_mb"] = server.resident_mb()
            return results


def build_corpus(home: Path, chunks: int, real: int = REAL) -> dict[str, Any]:
    """Build the corpus CORPUS of at least `chunks` chunks in a data folder, including its index snapshot.

    Args:
        real: how many of these are really embedded; the others are altered copies.
    """
    settings = Settings(home=home)
    embedder, catalog = shared_embedder(settings.corpus.embedder), Catalog(home)
    began = time.perf_counter()
    made = 0
    sources = (Source(f"{i:03}.txt", entry["text"].encode) for i, entry in enumerate(_articles()))
    for outcome in Builder(catalog, embedder, settings).ingest(CORPUS, sources):
        made += outcome.chunks
        if made >= min(real, chunks):
            break
    embedded, embedded_s = made, time.perf_counter() - began
    for number, version in enumerate(_altered(catalog, embedder.fingerprint, chunks - made)):
        catalog.documents.put(CORPUS, f"altered-{number:05}.txt", version)
        made += len(version.pieces.keys)
    began = time.perf_counter()
    pipeline = Pipeline(settings, catalog, ModelSet(settings, embedder))
    pipeline.index(CORPUS).catch_up()
    indexed_s = time.perf_counter() - began
    pipeline.save_indexes(always=True)
    catalog.close()
    size = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    return {
        "chunks": made,
        "embedded_for_real": embedded,
        "real_chunks_per_s": round(embedded / embedded_s, 1),
        "index_rebuild_s": round(indexed_s, 1),
        "data_folder_mb": size // 1_000_000,
    }


def _articles() -> Iterator[dict[str, Any]]:
    return records("documents/wikipedia-490.jsonl.gz")


def _altered(catalog: Catalog, fingerprint: str, wanted: int) -> Iterator[NewVersion]:
    rng, noise = random.Random(7), np.random.default_rng(7)
    generation = catalog.generations.serving(CORPUS).id
    rows = [change.document for change in catalog.changes.after(generation, 0) if change.added]
    originals = [
        (text, np.frombuffer(vector, np.float16))
        for _, _, text, vector in catalog.chunks.indexed(generation, rows)
    ]
    words = [word for text, _ in originals[:2000] for word in text.split()]
    while wanted > 0:
        picked = [rng.choice(originals) for _ in range(min(PER_DOCUMENT, wanted))]
        yield _version(
            [alter(text, words, rng) for text, _ in picked], [v for _, v in picked], fingerprint, noise
        )
        wanted -= len(picked)


def alter(text: str, words: Sequence[str], rng: random.Random) -> str:
    """Shuffle the sentences of a text, joined by single spaces, and replace one word in ten by one of `words`."""
    sentences = [text[start:end].strip() for start, end in split_sentences(text)]
    rng.shuffle(sentences)
    return " ".join(rng.choice(words) if rng.random() < 0.1 else word for word in " ".join(sentences).split())


def _version(
    texts: Sequence[str], vectors: Sequence[np.ndarray], fingerprint: str, noise: np.random.Generator
) -> NewVersion:
    starts = np.cumsum([0, *(len(text) + 2 for text in texts)]).tolist()
    pieces = [(start, start + len(text), "") for start, text in zip(starts, texts, strict=False)]
    stacked = np.stack(vectors).astype(np.float32)  # (n_chunks, dim)
    moved = unit(stacked + noise.normal(0, 0.5 / np.sqrt(stacked.shape[1]), stacked.shape).astype(np.float32))
    keys = [embedding_key(fingerprint, text) for text in texts]
    whole = "\n\n".join(texts)
    return NewVersion(
        whole, (), {"format": "txt"}, str(noise.integers(1 << 62)), "altered", Pieces(pieces, moved, keys)
    )


def _ask(client: httpx.Client, way: str, question: str) -> float:
    began = time.perf_counter()
    client.post(f"/v1/corpora/{CORPUS}/{way}", json={"question": question}).raise_for_status()
    return (time.perf_counter() - began) * 1000


def _upload_to_searchable(client: httpx.Client) -> float:
    """Return the seconds from the start of an upload until a search finds it; the worker is warm."""
    for word in ("quetzalwarmup", "quetzalmeasured"):
        text = f"The password of the lighthouse is {word}. It is changed every full moon.\n"
        began = time.perf_counter()
        files = [("files", (f"{word}.txt", text.encode()))]
        client.post(f"/v1/corpora/{CORPUS}/documents", files=files).raise_for_status()
        while not _finds(client, word):
            if time.perf_counter() - began > 60:
                raise RuntimeError("The uploaded document did not become searchable within 60 s.")
            time.sleep(0.01)
    return time.perf_counter() - began


def _finds(client: httpx.Client, word: str) -> bool:
    hits = client.post(f"/v1/corpora/{CORPUS}/search", json={"question": word, "k": 1}).json()["hits"]
    return bool(hits) and hits[0]["document"] == f"{word}.txt"
