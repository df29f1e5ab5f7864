"""The commands about generations, as a user types them, also beside a running server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.service import Service
from rag.models import trunk
from rag.settings import Settings
from tests.ingest.test_generations import LAMP, LAMP_QUESTION, TEXTS
from tests.served import Site, served, upload
from tests.typed import Ibid, ingest_texts


@pytest.fixture
def sea(ibid: Ibid, home: Path) -> Ibid:
    ingest_texts(ibid, home / "sea", TEXTS, "sea")
    return ibid


def states(ibid: Ibid) -> list[tuple[int, str]]:
    listed = ibid("generations", "list", "--corpus", "sea", "--json").json()
    return [(one["generation"], one["state"]) for one in listed]


def test_the_commands(sea: Ibid, home: Path) -> None:
    for command, told in (
        (("build",), "is made so already (trunk, packed, 254 tokens)"),
        (("swap",), "has no new generation; begin one: `ibid generations build --corpus sea`"),
        (("swap", "--generation", 7), "has no generation 7; it has 1."),
        (("swap", "--generation", 1), "Generation 1 of 'sea' serves already."),
        (("swap", "--fail-on", "answered drops 0.1"), "name its questions with --gate"),
        (("rollback",), "nothing to go back to"),
        (("build", "--chunk-tokens", 4), "chunk_tokens is '4'; expected a whole number from 16"),
    ):
        done = sea("generations", *command, "--corpus", "sea")
        assert (done.code, told in done.err) == (2 if "swap" in command else 1, True), done.err
    assert sea("generations", "list", "--corpus", "nowhere").code == 1
    assert states(sea) == [(1, "serves")]

    built = sea("generations", "build", "--corpus", "sea", "--chunker", "token", "--chunk-tokens", 16)
    assert built.out.startswith("2  is ready: trunk, token, 16 tokens, 3 documents, 0 missing, ")
    assert sea("generations", "swap", "--corpus", "sea").out.startswith(
        "sea: generation 2 serves (trunk, token, 16"
    )
    assert states(sea) == [(1, "served before"), (2, "serves")]
    (home / "sea" / "lamp.txt").write_text("The lamp burns paraffin by now.")
    assert "keeps the way it was made" in sea("ingest", home / "sea", "--corpus", "sea").err
    assert states(sea) == [(1, "served before, is behind"), (2, "serves")]
    assert sea("generations", "rollback", "--corpus", "sea", "--json").json() == {
        "corpus": "sea", "serves": 1, "before": 2
    }  # fmt: skip
    assert "paraffin" in sea("ask", "--corpus", "sea", LAMP_QUESTION).out
    assert "nothing to prune" in sea("generations", "prune", "--corpus", "sea").out
    pruned = sea("generations", "prune", "--corpus", "sea", "--all", "--json").json()
    assert (pruned["pruned"], states(sea)) == ([2], [(1, "serves")])
    assert all(check["ok"] for check in sea("doctor", "--json").json())


def test_the_gate_stands_before_the_swap(sea: Ibid, home: Path) -> None:
    questions = home / "questions.jsonl"
    lines = []
    for number, quote in enumerate(sentence for sentence in LAMP.split(". ") for _ in range(2)):
        start = LAMP.index(quote)
        spans = [{"document": "lamp.txt", "start": start, "end": len(LAMP), "quote": LAMP[start:]}]
        lines.append(
            {"id": f"q{number}", "question": f"{number}: {quote}?", "evidence": spans, "answerable": True}
        )
    questions.write_text("\n".join(map(json.dumps, lines)))
    sea("generations", "build", "--corpus", "sea", "--chunker", "token", "--chunk-tokens", 16)
    for wrong in (("--gate", home / "none.jsonl"), ("--gate", questions, "--fail-on", "recall falls")):
        assert sea("generations", "swap", "--corpus", "sea", *wrong).code == 2
    strict = ("--gate", questions, "--fail-on", "context span recall drops 0")
    refused = sea("generations", "swap", "--corpus", "sea", *strict)
    assert refused.code == 1
    assert "generation 1 goes on serving 'sea': 2 is worse" in refused.err
    assert states(sea) == [(1, "serves"), (2, "is ready")]
    lenient = ("--gate", questions, "--fail-on", "context span recall drops 0.9")
    assert sea("generations", "swap", "--corpus", "sea", *lenient).code == 0
    assert states(sea) == [(1, "served before"), (2, "serves")]
    asked = ("--corpus", "sea", "--questions", questions, "--out", home / "run.json", "--no-ragas")
    assert sea("eval", "run", *asked).code == 0
    run = json.loads((home / "run.json").read_text())
    assert run["settings"] == {"chunker": "token", "chunk_tokens": "16"}  # whatever the settings say


@pytest.fixture
def site(home: Path) -> Iterator[Site]:
    with served(Settings(home=home / "home")) as made:
        yield made


def test_a_running_server_goes_over_to_another_model_and_back(sea: Ibid, site: Site, home: Path) -> None:
    def asked() -> tuple[str, set[int]]:
        hits = site.service.pipeline.search("sea", LAMP_QUESTION).hits
        answer = site.client.post("/v1/corpora/sea/ask", json={"question": LAMP_QUESTION}).json()
        return answer["answer"].splitlines()[0], {hit.chunk.generation for hit in hits}

    before = asked()
    other = str(trunk.trunk_folder())  # the trunk in float32, through sentence-transformers
    assert sea("generations", "build", "--corpus", "sea", "--embedder", other).code == 0
    assert asked() == before
    assert sea("generations", "swap", "--corpus", "sea").code == 0
    assert asked() == (before[0], {2})
    assert upload(site.client, "sea", {"cat.txt": "The cat is called Gannet."})["state"] == "completed"
    found = site.client.post("/v1/corpora/sea/search", json={"question": "cat"}).json()["hits"]
    assert found[0]["document"] == "cat.txt"
    kept = Service(site.service.settings)
    used = (
        kept.catalog.database.read().execute("SELECT count(*) FROM chunks WHERE generation = 2").fetchone()[0]
    )
    assert used == 4
    kept.close()
    session = {"question": LAMP_QUESTION, "session": "s"}
    assert site.client.post("/v1/corpora/sea/ask", json=session).json()["answerable"]
    assert sea("generations", "rollback", "--corpus", "sea").code == 0
    assert asked() == before
    found = site.client.post("/v1/corpora/sea/search", json={"question": "cat"}).json()["hits"]
    assert found[0]["document"] == "cat.txt"
