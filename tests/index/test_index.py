"""The follower: equal to brute force over the live chunks after any history, and never torn."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from rag.index.follower import CorpusIndex
from rag.index.reference import RankBm25Index
from rag.retrieve import Request, retrieve
from rag.store.catalog import Catalog
from rag.store.filters import Filter
from rag.store.generations import keep_snapshots
from rag.text.names import document_label
from rag.types import Chunk, Recipe
from tests import made_versions
from tests.made_versions import CORPUS, Library, make_version, random_vectors

LINES = [
    f"{who} {does} {where}"
    for who in ("the grey heron", "a puffin", "the old keeper", "our ferry", "no fisherman")
    for does in ("waits at", "returns to", "never leaves", "paints")
    for where in ("the harbour wall", "the lighthouse", "its burrow")
]
QUESTIONS = ["Who waits at the lighthouse?", "the heron", "paint the harbour", "where is the ferry", "zebra"]


def follower(library: Library, catalog: Catalog | None = None, lexical: str = "bm25") -> CorpusIndex:
    return made_versions.follower(catalog or library.catalog, lexical=lexical)


def living(catalog: Catalog, filter_: Filter | None = None) -> dict[int, Chunk]:
    rows = catalog.documents.matching(CORPUS, filter_ or {})
    ids = catalog.database.read().execute(
        f"SELECT id FROM chunks WHERE document IN ({','.join(map(str, rows))})"
    )
    return catalog.chunks.get(made_versions.serving(catalog), [row["id"] for row in ids])


def assert_equals_brute_force(
    library: Library, index: CorpusIndex, question: str, filter_: Filter | None
) -> None:
    chunks, allowed = living(library.catalog), living(library.catalog, filter_)
    vector = library.vectors([question])[0]
    found = index.search(question, vector, dense_k=12, lexical_k=6, filter_=filter_)
    stored = {i: library.vectors([chunk.indexed_text])[0].astype(np.float16) for i, chunk in chunks.items()}
    cosines = {i: float(stored[i].astype(np.float64) @ vector) for i in chunks}
    best = sorted((cosines[i] for i in allowed), reverse=True)[:12]
    assert [score for _, score in found.dense] == pytest.approx(best, abs=1e-5)
    assert [cosines[i] for i, _ in found.dense] == pytest.approx(best, abs=1e-5)
    assert found.dense == sorted(found.dense, key=lambda pair: (-pair[1], pair[0]))
    reference = RankBm25Index()
    texts = [f"{document_label(chunk.document, {})}\n{chunk.indexed_text}" for chunk in chunks.values()]
    reference.add(list(chunks), texts)
    expected = reference.search(question, 6, allowed=np.array(sorted(allowed), np.int64))
    assert [score for _, score in found.lexical] == pytest.approx([score for _, score in expected], rel=1e-4)
    exact = dict(zip(chunks, reference.score(question, list(chunks)).tolist(), strict=True))
    for i, score in found.lexical:
        assert score == pytest.approx(exact[i], rel=1e-4)
    ids = {i for i, _ in [*found.dense, *found.lexical]}
    assert ids == found.dense_scores.keys() == found.lexical_scores.keys() == found.chunks.keys()
    assert ids <= allowed.keys()
    for i in ids:
        assert found.chunks[i] == chunks[i]
        assert found.dense_scores[i] == pytest.approx(cosines[i], abs=1e-5)
        assert found.lexical_scores[i] == pytest.approx(exact[i], rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_any_history_equals_brute_force_and_a_rebuild(library: Library, seed: int) -> None:
    chance, catalog = random.Random(seed), library.catalog
    library.put("first", LINES[0])
    index, other = follower(library), follower(library, lexical="rank_bm25")
    present = ["first"]
    for turn in range(40):
        kind = chance.random()
        if kind < 0.7 or not present:
            name = chance.choice("abcdefgh")
            lines = [chance.choice(LINES) for _ in range(chance.randrange(1, 6))]
            context = chance.choice(["", "Chapter of the harbour"])
            library.put(
                name, "\n".join(lines), metadata={"turn": turn, "even": turn % 2 == 0}, context=context
            )
            present = sorted({*present, name})
        elif kind < 0.95:
            gone = chance.sample(present, min(len(present), chance.randrange(1, 3)))
            catalog.documents.delete(CORPUS, gone)
            present = [name for name in present if name not in gone]
        else:
            catalog.delete_corpus(CORPUS)
            catalog.create_corpus(CORPUS, Recipe(library.embedder.fingerprint))
            present = []
            index, other = follower(library), follower(library, lexical="rank_bm25")  # of a new generation
        if chance.random() < 0.3:
            index.catch_up()
        if chance.random() < 0.1:
            index.save(always=True)
            index = follower(library)
        if turn % 8 == 7:
            filter_ = chance.choice([None, {"even": True}, {"turn": {"$gte": turn - 5}}, {"none": 1}])
            assert_equals_brute_force(library, index, chance.choice(QUESTIONS), filter_)
            assert_equals_brute_force(library, other, chance.choice(QUESTIONS), filter_)
    keep_snapshots(catalog.home, CORPUS, ())
    rebuilt = follower(library)
    for question in QUESTIONS:
        vector = library.vectors([question])[0]
        mine, theirs = (each.search(question, vector, dense_k=7, lexical_k=4) for each in (index, rebuilt))
        assert (mine.dense, mine.chunks) == (theirs.dense, theirs.chunks)  # bit-identical, ties included
        assert [i for i, _ in mine.lexical] == [i for i, _ in theirs.lexical]
    assert len(index) == len(rebuilt) == len(other) == len(living(catalog))


def test_an_empty_corpus_finds_nothing(library: Library) -> None:
    library.catalog.create_corpus(CORPUS, Recipe(library.embedder.fingerprint))
    found = follower(library).search("x", library.vectors(["x"])[0], dense_k=5, lexical_k=5, filter_={"a": 1})
    assert (found.dense, found.lexical, found.chunks) == ([], [], {})


def test_legs_of_length_zero(library: Library) -> None:
    library.put("a", "the grey heron")
    vector = library.vectors(["heron"])[0]
    found = follower(library).search("heron", vector, dense_k=0, lexical_k=5)
    assert (len(found.dense), len(found.lexical), len(found.dense_scores)) == (0, 1, 1)
    assert follower(library).search("heron", vector, dense_k=5, lexical_k=0).lexical == []


def test_a_deletion_is_immediate_for_a_follower_elsewhere(library: Library) -> None:
    library.put("a", "the grey heron")
    library.put("b", "a puffin")
    second = Catalog(library.catalog.home)
    index = follower(library, second)
    vector = library.vectors(["heron"])[0]
    assert len(index.search("heron", vector, dense_k=5, lexical_k=5).dense) == 2
    library.catalog.documents.delete(CORPUS, ["a"])
    found = index.search("heron", vector, dense_k=5, lexical_k=5)
    assert [chunk.document for chunk in found.chunks.values()] == ["b"]
    assert found.lexical == []
    second.close()


_FOLLOWER = """
import sys
from pathlib import Path
from rag.store.catalog import Catalog
from tests.made_versions import follower, random_vectors
index = follower(Catalog(Path(sys.argv[1])))
for line in sys.stdin:
    found = index.search("heron puffin", random_vectors(1, 0)[0], dense_k=9, lexical_k=9)
    print(*sorted(chunk.text for chunk in found.chunks.values()), sep=",", flush=True)
"""


def test_a_follower_in_another_process_agrees_at_once(catalog: Catalog) -> None:
    catalog.create_corpus(CORPUS, Recipe("random"))

    def put(name: str, text: str) -> None:
        catalog.documents.put(CORPUS, name, make_version(text, random_vectors(1, 1)))

    put("a", "heron")
    with subprocess.Popen(
        [sys.executable, "-c", _FOLLOWER, str(catalog.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:

        def asked() -> str:
            assert process.stdin
            assert process.stdout
            process.stdin.write("\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        assert asked() == "heron"
        put("b", "puffin")
        assert asked() == "heron,puffin"
        put("a", "grey heron")
        assert asked() == "grey heron,puffin"
        catalog.documents.delete(CORPUS, ["a"])
        assert asked() == "puffin"
        assert process.stdin
        process.stdin.close()


def test_a_reader_sees_the_old_version_or_the_new_one(catalog: Catalog) -> None:
    """Each version has three chunks; every search must find three of one version, never of an older one."""
    catalog.create_corpus(CORPUS, Recipe("random"))
    stop, torn = threading.Event(), list[str]()
    index = made_versions.follower(catalog)  # shared by the readers, as in a server
    searches = [0, 0, 0]

    def put(turn: int) -> None:
        text = "\n".join(f"heron {turn} {part}" for part in "abc")
        catalog.documents.put(
            CORPUS, "a", make_version(text, random_vectors(3, turn), metadata={"bird": True})
        )

    def read(reader: int) -> None:
        own = index if reader < 2 else made_versions.follower(catalog)
        newest = 0
        while not stop.is_set():
            candidates = retrieve(Request("heron", random_vectors(1, 0)[0], own, 10, 10, 10, {"bird": True}))
            for hits in (candidates.dense, candidates.lexical):
                versions = [hit.chunk.version for hit in hits]
                if len(versions) != 3 or len(set(versions)) != 1 or versions[0] < newest:
                    torn.append(f"{versions} after {newest}")
            newest = candidates.dense[0].chunk.version if candidates.dense else newest
            searches[reader] += 1

    put(0)
    readers = [threading.Thread(target=read, args=(reader,)) for reader in range(3)]
    for thread in readers:
        thread.start()
    for turn in range(1, 80):
        put(turn)
    stop.set()
    for thread in readers:
        thread.join()
    assert torn == []
    assert min(searches) > 10


def test_a_follower_recovers_from_a_vector_that_does_not_fit(library: Library) -> None:
    library.put("a", "the grey heron")
    index = follower(library)
    assert len(index) == 1
    with library.catalog.database.write() as transaction:
        transaction.execute("UPDATE embeddings SET vector = x'0000'")
        transaction.execute(
            "INSERT INTO changes (generation, document, kind) VALUES (?, 1, 'add')",
            (made_versions.serving(library.catalog),),
        )
    for _ in range(2):  # FAISS rejects its length
        with pytest.raises(AssertionError):
            index.catch_up()
    library.put("a", "the grey heron, mended")
    found = index.search("heron", library.vectors(["heron"])[0], dense_k=5, lexical_k=5)
    assert [chunk.text for chunk in found.chunks.values()] == ["the grey heron, mended"]
    assert len(found.dense) == len(found.lexical) == 1


def test_idf_is_that_of_the_living_chunks(library: Library) -> None:
    library.put("a", "heron\nheron\npuffin")
    index = follower(library)
    index.catch_up()
    assert index.idf("heron") == pytest.approx(np.log(1 + 1.5 / 2.5))
    library.catalog.documents.delete(CORPUS, ["a"])
    index.catch_up()
    assert index.idf("heron") == pytest.approx(np.log(1 + 0.5 / 0.5))


def test_catching_up_on_a_small_document_is_quick(catalog: Catalog) -> None:
    catalog.create_corpus(CORPUS, Recipe("random"))
    text = "\n".join(f"line {n} {n % 13}" for n in range(20_000))
    catalog.documents.put(CORPUS, "large", make_version(text, random_vectors(20_000, 0)))
    index = made_versions.follower(catalog)
    index.catch_up()
    times = []
    for turn in range(5):
        catalog.documents.put(CORPUS, "small", make_version(f"one\ntwo {turn}", random_vectors(2, turn)))
        began = time.thread_time()
        index.catch_up()
        times.append(time.thread_time() - began)
    assert sorted(times)[2] < 0.1
